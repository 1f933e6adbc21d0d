# Redis and Sentinel, the same to use from either source: user, folders, command. Rendered by stackctl.
FROM redis:8

COPY entrypoint.sh /opt/stackctl/entrypoint.sh

# hadolint ignore=DL3066
USER redis
WORKDIR /data
VOLUME /data
EXPOSE 6379 26379
ENTRYPOINT ["sh", "/opt/stackctl/entrypoint.sh"]
CMD ["redis"]
