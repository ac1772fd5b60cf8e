# HBase publishes no image: this one holds the very jars that `parrot up` runs, refused if their bytes are not the
# locked ones. Built by `docker compose up` at the top of the checkout.
FROM maven:3.9.9-eclipse-temurin-17 AS jars
WORKDIR /work
COPY hbase-jars.txt artefacts.lock.json ./
# A project that depends on every line of the list, and on nothing that those would bring along.
RUN awk -F: 'BEGIN { print "<project><modelVersion>4.0.0</modelVersion><groupId>parrot</groupId>" \
                     "<artifactId>hbase</artifactId><version>1</version><dependencies>" } \
             NF { print "<dependency><groupId>" $1 "</groupId><artifactId>" $2 "</artifactId>" \
                        "<version>" $3 "</version></dependency>" } \
             END { print "</dependencies></project>" }' hbase-jars.txt > pom.xml \
 && mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DexcludeTransitive=true -DoutputDirectory=/work/lib \
 && test "$(ls lib | wc -l)" -eq "$(grep -c : hbase-jars.txt)" \
 && for jar in lib/*; do \
      grep -q "$(sha256sum "$jar" | cut -d' ' -f1)" artefacts.lock.json || { echo "$jar is not the locked one"; exit 1; }; \
    done

FROM eclipse-temurin:17.0.15_6-jre-jammy
RUN useradd --create-home --uid 10001 hbase && mkdir /data && chown hbase:hbase /data
COPY --from=jars /work/lib /opt/hbase/lib
# What HBase's reflection needs on Java 17.
ENV JAVA_TOOL_OPTIONS="--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED \
--add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED \
--add-opens=java.base/java.lang.reflect=ALL-UNNAMED --add-opens=java.base/java.net=ALL-UNNAMED \
--add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED --add-opens=java.base/jdk.internal.misc=ALL-UNNAMED"
USER hbase
WORKDIR /data
VOLUME /data
ENTRYPOINT ["java", "-XX:+UseSerialGC", "-cp", "/opt/hbase/conf:/opt/hbase/lib/*"]
