#!/usr/bin/env python3
"""What goes wrong for somebody who is new, on the engine itself: each must be told what has happened and what to type,
and what is advised must help. Arguments: the project's name, its port. Called by .ci/containers in a checkout whose
shop runs; leaves it stopped, without data.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

# Whoever started this in the background may have it ignored, and a shell can't change that for itself.
signal.signal(signal.SIGINT, signal.default_int_handler)

project, port = sys.argv[1], int(sys.argv[2])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
results = []


def make(*arguments, user=None, folder=".", **variables):
    """Its exit code, and all that it printed."""
    command = ["make", *arguments]
    if user:
        command = ["su", user, "--shell", "/bin/sh", "--command", " ".join(command)]
    ended = subprocess.run(command, cwd=folder, env={**os.environ, **variables}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return ended.returncode, ended.stdout


def told(what, outcome, *expected, code=2):
    """Notes whether a command ended and spoke as it must."""
    missing = [text for text in expected if text not in outcome[1]]
    fine = outcome[0] == code and not missing
    results.append(fine)
    print(f"{'ok ' if fine else 'BAD'} {what}", flush=True)
    if not fine:
        print(f"      ended with {outcome[0]}, not said: {missing}\n      " + outcome[1].replace("\n", "\n      "))


def is_open(at=port):
    try:
        return opener.open(f"http://127.0.0.1:{at}/ready", timeout=10).status == 200
    except OSError:
        return False


def opens_within(seconds):
    end = time.monotonic() + seconds
    while not is_open() and time.monotonic() < end:
        time.sleep(0.1)
    return is_open()


def answers(at=port):
    return (0 if is_open(at) else 1), f"the shop on port {at}"


def containers(name=project):
    return subprocess.run(["docker", "ps", "--quiet", "--filter", f"label=com.docker.compose.project={name}"],
                          capture_output=True, text=True, check=True).stdout.split()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def sql(statement):
    subprocess.run(["docker", "compose", "exec", "-T", "postgres", "psql", "--username=flash_sale", "-qc", statement],
                   check=True, stdout=subprocess.DEVNULL)


def second_checkout():
    other = os.path.abspath(f"../second/{project}")
    shutil.copytree(".", other)
    told("a second checkout with the same folder name", make("docker-run", folder=other),
         f"the containers named {project} belong to {os.getcwd()}", f"COMPOSE_PROJECT_NAME={project}-2")
    told("... also not for make docker-clean", make("docker-clean", folder=other), "belong to")
    told("... the first one is as it was", answers(), code=0)
    second = free_port()
    with open(f"{other}/.env", "w") as env:
        env.write(f"COMPOSE_PROJECT_NAME={project}-2\nPORT={second}\n")
    told("... with the name that was advised, it opens", make("docker-run", folder=other),
         f"The shop is open: http://127.0.0.1:{second}", code=0)
    told("... beside the first", (0 if is_open(second) and is_open() else 1, ""), code=0)
    make("docker-clean", folder=other)
    told("... and make docker-clean removes it alone",
         (0 if not containers(f"{project}-2") and is_open() else 1, ""), code=0)


def interrupted_build():
    with open("crates/core/src/limits.rs", "a") as source:
        source.write("// Something new to compile.\n")
    before = containers()
    build = subprocess.Popen(["make", "docker-build"], start_new_session=True, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = ""
    for line in build.stdout:
        said += line
        if "Compiling flash-sale-core" in line:
            os.killpg(build.pid, signal.SIGINT)
    # make, too, ends by the signal.
    told("Ctrl-C during the build", (build.wait(), said), "To go on: make docker-build", code=-signal.SIGINT)
    told("... the shop is as it was", (0 if containers() == before and is_open() else 1, ""), code=0)
    told("... make docker-build goes on", make("docker-build"), code=0)


def taken_port():
    make("docker-stop")
    with socket.create_server(("127.0.0.1", port)):
        told("the port is taken", make("docker-run"),
             f"port {port} is taken", f"PORT={port + 100} make docker-run")
        other = free_port()
        told("... another one is free", make("docker-run", PORT=str(other)), f"http://127.0.0.1:{other}", code=0)
    told("... and the first one again", make("docker-run"), f"http://127.0.0.1:{port}", code=0)


def older_compose():
    if not shutil.which("docker-compose"):
        print("WARNING: docker-compose 1 was NOT TRIED: it is not installed")
        return
    make("docker-stop")
    told("docker-compose in place of docker compose", make("docker-run", COMPOSE="docker-compose"),
         f"The shop is open: http://127.0.0.1:{port}", code=0)
    told("... judges", make("docker-check", COMPOSE="docker-compose"), "FIXED", code=0)
    told("... replaces", make("docker-build", COMPOSE="docker-compose"), code=0)
    told("... stops", make("docker-stop", COMPOSE="docker-compose"), code=0)
    told("... and nothing is left", (len(containers()), ""), code=0)
    make("docker-run")


def in_the_foreground():
    make("docker-stop")
    up = subprocess.Popen(["docker", "compose", "up", "--build"], start_new_session=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    opened = opens_within(120)
    os.killpg(up.pid, signal.SIGINT)
    up.wait(timeout=120)
    told("docker compose up --build, as README has it", (0 if opened else 1, ""), code=0)
    told("... Ctrl-C stops it", (len(containers()), ""), code=0)
    make("docker-run")


def volumes():
    sql("ALTER TABLE idempotency_keys DROP COLUMN product_id;"
        "DELETE FROM seaql_migrations WHERE version LIKE '%_tie_idempotency_keys_to_products'")
    make("docker-stop")
    told("data of an older schema are brought up to date", make("docker-run"), "The shop is open", code=0)
    sql("SELECT product_id FROM idempotency_keys LIMIT 1")
    sql("INSERT INTO seaql_migrations VALUES ('m20990101_000001_of_a_newer_shop', 0)")
    make("docker-stop")
    told("data of a newer schema", make("docker-run"), "made by a newer version", "make docker-clean docker-run")
    make("docker-clean")
    make("docker-run")
    make("docker-stop")
    told("another POSTGRES_PASSWORD than that of the data", make("docker-run", POSTGRES_PASSWORD="another"),
         "another POSTGRES_PASSWORD than the present one", "make docker-clean docker-run")
    told("... with the old one it opens", make("docker-run"), "The shop is open", code=0)
    told("another POSTGRES_SHOP_PASSWORD is set at the start", make("docker-run", POSTGRES_SHOP_PASSWORD="n€w p@$$"),
         "The shop is open", code=0)
    told("... and the shop sells", answers(), code=0)


told("no engine", make("docker-run", DOCKER_HOST="unix:///nonexistent"), "no Docker engine answers", "make run")
if os.getuid() == 0:
    told("an engine that this user may not use", make("docker-run", user="nobody"), "may not use", "usermod -aG docker")
second_checkout()
interrupted_build()
taken_port()
older_compose()
in_the_foreground()
volumes()
told("make docker-clean", make("docker-clean"), code=0)
left = subprocess.run(["sh", "-c", f"docker volume ls -q | grep {project}_; docker image ls -q {project}-shop; "
                       f"docker network ls | grep {project}_"], capture_output=True, text=True).stdout
told("... leaves no volume, image or network", (0 if not left else 1, left), code=0)
print(f"newcomer: {sum(results)} of {len(results)} as they must be")
sys.exit(not all(results))
