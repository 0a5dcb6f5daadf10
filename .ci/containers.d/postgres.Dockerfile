# Stands in for the official image postgres:…-alpine: a Debian in place of an Alpine, the same major version, the same
# paths, volume, user name and signal to stop it. postgres-entrypoint.sh says what it does like the official one.
FROM scratch
ADD postgres.tar /
ENV PATH=/usr/lib/postgresql/18/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
ENV PGDATA=/var/lib/postgresql/18/docker
RUN install -d -o postgres -g postgres -m 3777 /var/run/postgresql \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
