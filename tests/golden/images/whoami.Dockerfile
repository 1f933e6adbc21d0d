# whoami, a sample app: standard library Python. Rendered by stackctl.
FROM debian:trixie-slim

# hadolint ignore=DL3008
RUN apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 python3-minimal \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

WORKDIR /app
COPY app.py listener.py server.py streams.py wire.py ./
# The compiled files alone are started: nothing is compiled, or compared with its source, on the way to the first request.
RUN python3 -m compileall -q -b . && rm ./*.py

USER 65534:65534
EXPOSE 80
# -E -s -S: no environment, user or site packages to look for.
ENTRYPOINT ["python3", "-E", "-s", "-S", "/app/app.pyc"]
