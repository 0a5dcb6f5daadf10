# The shop as an image of some megabytes: the programs, a list of what they are made of, the static files, and nothing
# else, not even a shell.
# docker-compose.yml runs it as the replicas and as the migration.

# The version that rust-toolchain.toml names.
FROM rust:1.95.0-slim-bookworm AS build
# Statically linked: the programs bring their C library. Naming the target keeps this flag from the macros and
# build scripts, which can't be static. Incremental: an edit is compiled, and not the crate that it stands in. The lab
# only judges here: it is the largest crate, and need not be fast.
ENV RUSTFLAGS="-C target-feature=+crt-static" CARGO_INCREMENTAL=1
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY migration migration
COPY templates templates

# Both caches outlive this build, so that after an edit only what has changed is compiled. All checkouts on this
# machine share them, one build at a time. Cargo compares dates, and a file of another checkout may be older. So a file
# is copied, and thereby new, only if its content differs from what was compiled last.
WORKDIR /build
RUN --mount=type=cache,id=flash-sale-build,target=/build,sharing=locked \
    --mount=type=cache,id=flash-sale-crates,target=/usr/local/cargo/registry,sharing=locked \
    find . -path ./target -prune -o -type f -print | while read -r file; do \
        [ -e "/source/$file" ] || rm "$file" || exit 1; \
    done \
    && (cd /source && find . -type f) | while read -r file; do \
        cmp -s "/source/$file" "$file" || install -D -m 644 "/source/$file" "$file" || exit 1; \
    done \
    && cargo build --workspace --release --locked --target "$(rustc --print host-tuple)" \
        --config profile.release.package.flash-sale-lab.opt-level=1 \
    && install -D -t /programs target/*/release/flash-sale-web target/*/release/migrate target/*/release/lab \
    # What the programs are made of: name, version and licence of each crate, a line each.
    && cargo tree --workspace --locked --edges normal,no-proc-macro --prefix none --format '{p} {l}' \
        | sed -E -e '/^$/d' -e 's/ \((\/[^)]*|\*)\)//g' | sort -u > /programs/crates.txt

FROM scratch
COPY --from=build /programs/ /
WORKDIR /shop
COPY static static
# What reaches a container is decided by what is published.
ENV HOST=0.0.0.0
EXPOSE 8080
USER 65532:65532
CMD ["/flash-sale-web"]
