# Stands in for the official image nginx:…-alpine: a Debian in place of an Alpine, the same version of nginx, the same
# user, and the same signal to stop it; wget and nc, which an Alpine has. Without the official entrypoint, which
# docker-compose.yml replaces.
FROM scratch
ADD nginx.tar /
STOPSIGNAL SIGQUIT
EXPOSE 80
CMD ["nginx", "-g", "daemon off;"]
