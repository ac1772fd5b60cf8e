# Kafka's own image with what `parrot up` gives its Connect worker: Debezium's PostgreSQL connector and the Avro
# converter, refused if their bytes are not the locked ones. Built by `docker compose up` at the top of the checkout.
FROM maven:3.9.9-eclipse-temurin-17 AS plugins
WORKDIR /work
COPY avro-converter-jars.txt artefacts.lock.json ./
ARG DEBEZIUM=3.3.2.Final
RUN awk -F: 'BEGIN { print "<project><modelVersion>4.0.0</modelVersion><groupId>parrot</groupId>" \
                     "<artifactId>connect</artifactId><version>1</version><dependencies>" } \
             NF { print "<dependency><groupId>" $1 "</groupId><artifactId>" $2 "</artifactId>" \
                        "<version>" $3 "</version></dependency>" } \
             END { print "</dependencies></project>" }' avro-converter-jars.txt > pom.xml \
 && mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DexcludeTransitive=true -DoutputDirectory=/work/lib \
 && mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact=io.debezium:debezium-connector-postgres:${DEBEZIUM}:tar.gz:plugin -DoutputDirectory=/work/plugin \
 && test "$(ls lib | wc -l)" -eq "$(grep -c : avro-converter-jars.txt)" \
 && for file in lib/* plugin/*; do \
      grep -q "$(sha256sum "$file" | cut -d' ' -f1)" artefacts.lock.json || { echo "$file is not the locked one"; exit 1; }; \
    done \
 && tar -xzf plugin/*.tar.gz -C plugin && rm plugin/*.tar.gz \
 # One loader must find both, so the converter lies beside the connector; what the connector brings goes first.
 && for jar in lib/*; do \
      name="$(basename "$jar" | sed 's/-[^-]*$//')"; ls plugin/*/"$name"-[0-9]*.jar 2>/dev/null || cp "$jar" plugin/*/; \
    done

FROM apache/kafka:4.1.1
COPY --from=plugins /work/plugin /opt/plugins
ENTRYPOINT ["/opt/kafka/bin/connect-distributed.sh", "/opt/kafka/config/parrot-connect.properties"]
