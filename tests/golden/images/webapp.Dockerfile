# webapp, the sample app that registers itself: whoami, wrapped by the heartbeat. Rendered by stackctl.
FROM debian:trixie-slim

# hadolint ignore=DL3008
RUN apt-get update -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any \
    && apt-get install --yes --no-install-recommends -o Acquire::Retries=3 python3 python3-aiohttp python3-dnspython python3-jinja2 python3-redis \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log

# Compiled while the image is built: nothing is compiled, or written, when a container starts.
ENV PYTHONPATH=/opt/stackctl PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

COPY stackctl /opt/stackctl/stackctl
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/stackctl \
    && printf '#!/bin/sh\nexec python3 -m stackctl.agents.heartbeat "$@"\n' >/usr/local/bin/heartbeat \
    && chmod 755 /usr/local/bin/heartbeat

WORKDIR /app
COPY app.py listener.py server.py streams.py wire.py ./
# The compiled files alone are started, as in whoami.
RUN python3 -m compileall -q -b . && rm ./*.py

ENV HEARTBEAT_SERVICE=webapp
USER 65534:65534
EXPOSE 80
ENTRYPOINT ["heartbeat", "--", "python3", "-E", "-s", "-S", "/app/app.pyc"]
