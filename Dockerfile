# The shop as an image of a few megabytes: the programs, the static files, and nothing else, not even a shell.
# docker-compose.yml runs it as the replicas and as the migration.

# The version that rust-toolchain.toml names.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
# Statically linked: the programs bring their C library. Naming the target keeps this flag from the macros and
# build scripts, which can't be static.
ENV RUSTFLAGS="-C target-feature=+crt-static"

# The dependencies, with empty crates in place of ours: this layer is built again only when a manifest or the
# lock file changes.
COPY Cargo.toml Cargo.lock ./
COPY crates/core/Cargo.toml crates/core/
COPY crates/repositories/Cargo.toml crates/repositories/
COPY crates/services/Cargo.toml crates/services/
COPY crates/web/Cargo.toml crates/web/
COPY crates/lab/Cargo.toml crates/lab/
COPY migration/Cargo.toml migration/
RUN for crate in crates/* migration; do \
        mkdir $crate/src && touch $crate/src/lib.rs && echo 'fn main() {}' > $crate/src/main.rs || exit 1; \
    done \
    && cargo build --workspace --release --locked --target "$(rustc --print host-tuple)" \
    && rm -r crates/*/src migration/src

COPY crates crates
COPY migration migration
COPY templates templates
# Newer than the empty ones, whatever the date of the files is: cargo compares dates.
RUN find crates migration -name '*.rs' -exec touch {} + \
    && cargo build --workspace --release --locked --target "$(rustc --print host-tuple)" \
    && install -D -t /programs target/*/release/flash-sale-web target/*/release/migrate target/*/release/lab

FROM scratch
COPY --from=build /programs/ /
WORKDIR /shop
COPY static static
# What reaches a container is decided by what is published.
ENV HOST=0.0.0.0
EXPOSE 8080
USER 65532:65532
CMD ["/flash-sale-web"]
