# A worker as an image: `docker build -t parrot-faust .`, for linux/amd64, for which Kudu's client library exists.
# The first stage has the compiler that Kudu's Python client needs; the second has neither it nor any cache.
FROM python:3.11.14-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/bootstrap.txt requirements/tracing.txt requirements/
RUN python -m venv /opt/parrot \
 && /opt/parrot/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt \
 && /opt/parrot/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/parrot/bin/python --require-hashes -r requirements/tracing.txt
COPY pyproject.toml README.md LICENSE ./
COPY parrot_faust parrot_faust
COPY agents agents
COPY models models
RUN /opt/parrot/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/parrot/bin/python --no-deps . \
 && PARROT_CACHE=/tmp/cache /opt/parrot/bin/python -m parrot_faust.distribution.kudu_python \
 && /opt/parrot/bin/python -m pip uninstall --quiet --yes uv pip

FROM python:3.11.14-slim-bookworm
# What Kudu's client library is linked with and does not bring along.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libcom-err2 libcrypt1 libkeyutils1 libselinux1 libstdc++6 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --home-dir /var/lib/parrot --create-home --shell /usr/sbin/nologin parrot
COPY --from=build /opt/parrot /opt/parrot
ENV PATH=/opt/parrot/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PARROT_CONFIG=/etc/parrot/parrot.yaml \
    PARROT_STATE=/var/lib/parrot/local
WORKDIR /var/lib/parrot
USER 10001:10001
EXPOSE 6066
# Whether the worker's own server answers: a store that is away is no reason to start a worker again.
HEALTHCHECK --interval=30s --timeout=5s --start-period=2m --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('PARROT_WEB__PORT', 6066)}/health\", timeout=4)"]
CMD ["faust", "-q", "-A", "parrot_faust", "worker"]
