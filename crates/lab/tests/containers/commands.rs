//! Tests the Makefile's docker-… commands with a stand-in for `docker`. The stand-in says what Docker's own programs
//! were seen to say. `.ci/containers` tries the same commands on a real engine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use flash_sale_core::environment;
use flash_sale_testbed::testing::write_program;
use tempfile::TempDir;

use crate::{COMMANDS, root};

/// The programs that the commands use besides Docker.
const TOOLS: [&str; 13] =
    ["basename", "cat", "date", "grep", "head", "id", "printenv", "sed", "sh", "sleep", "sort", "tail", "tr"];

/// The answers of an engine with Compose 2, buildx and no containers. Tests put cases of their own before these.
const ALL_IS_WELL: &str = r#"
    "--version") echo "Docker version 28.2.2, build e6534b4" ;;
    "version --format"*) echo 28.2.2 ;;
    "ps --all"* | "compose ps"* | "logs"*) ;;
    "compose port gateway 3000") echo 127.0.0.1:3000 ;;
"#;

const PORT_IS_TAKEN: &str = r#"
    "compose up"*) echo "Error response from daemon: driver failed programming external connectivity on endpoint \
flash-sale-gateway-1 (1c1f): Bind for 127.0.0.1:3000 failed: port is already allocated" >&2; exit 1 ;;
"#;

/// A checkout, and a PATH that holds only `TOOLS` and the stand-ins.
struct Machine {
    folder: TempDir,
}

/// How a command ended.
struct Outcome {
    code: i32,
    said: String,
    /// What `docker` and `docker-compose` were asked. Each call is a line.
    asked: String,
}

impl Machine {
    fn without_docker() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inner in ["bin", "flash-sale"] {
            fs::create_dir(folder.path().join(inner)).unwrap();
        }
        for tool in TOOLS {
            let path = std::env::split_paths(&environment::text("PATH", "").unwrap())
                .map(|folder| folder.join(tool))
                .find(|path| path.is_file());
            symlink(path.unwrap_or_else(|| panic!("no {tool}")), folder.path().join("bin").join(tool))
                .unwrap();
        }
        Self { folder }
    }

    fn with_docker(cases: &str) -> Self {
        let machine = Self::without_docker();
        machine.install("docker", &format!("{cases}{ALL_IS_WELL}"));
        machine
    }

    /// Installs a stand-in. `cases` are those of a shell's `case`, for all arguments as one word. When none matches,
    /// the stand-in succeeds and says nothing.
    fn install(&self, program: &str, cases: &str) {
        let path = self.folder.path().join("bin").join(program);
        let asked = self.folder.path().join("asked");
        let script = format!(
            "#!/bin/sh\necho \"{program} $*\" >> '{}'\ncase \"$*\" in\n{cases}\nesac\n",
            asked.display()
        );
        write_program(&path, &script);
    }

    fn checkout(&self) -> PathBuf {
        self.folder.path().join("flash-sale")
    }

    fn run(&self, command: &str) -> Outcome {
        let output = Command::new("sh")
            .arg(root().join(COMMANDS))
            .arg(command)
            .current_dir(self.checkout())
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        Outcome {
            code: output.status.code().unwrap(),
            said: String::from_utf8(said).unwrap(),
            asked: fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default(),
        }
    }
}

impl Outcome {
    /// Checks that the command ended with 2, that it said what has happened and what to type, and
    /// that it changed nothing.
    #[track_caller]
    fn assert_refused(&self, what: &str, next: &str) {
        self.assert_failed(what, next);
        for change in [" up ", " build ", " down", " run "] {
            assert!(!self.asked.contains(change), "{}", self.asked);
        }
    }

    #[track_caller]
    fn assert_failed(&self, what: &str, next: &str) {
        assert_eq!(self.code, 2, "{}", self.said);
        assert!(self.said.contains(&format!("error: {what}")), "{}", self.said);
        assert!(self.said.contains(next), "{}", self.said);
    }
}

#[test]
fn a_machine_without_docker_is_told_where_to_get_it() {
    Machine::without_docker().run("run").assert_refused("there is no Docker on this machine", ": make run\n");
}

#[test]
fn a_user_who_may_not_use_the_engine_is_told_how_to_become_one_of_its_users() {
    let machine = Machine::with_docker(
        r#""version --format"*) echo "permission denied while trying to connect to the Docker daemon socket at \
unix:///var/run/docker.sock" >&2; exit 1 ;;"#,
    );

    machine.run("run").assert_refused("you (", "sudo usermod -aG docker ");
}

#[test]
fn an_engine_that_does_not_run_is_named() {
    let machine = Machine::with_docker(
        r#""version --format"*) echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. \
Is the docker daemon running?" >&2; exit 1 ;;"#,
    );

    machine
        .run("run")
        .assert_refused("no Docker engine answers: Cannot connect", "sudo systemctl start docker");
}

#[test]
fn compose_and_the_builder_are_asked_for_before_they_are_used() {
    let no_compose = r#""compose"*) echo "docker: 'compose' is not a docker command." >&2; exit 1 ;;"#;
    let no_builder = r#""buildx"*) echo "docker: 'buildx' is not a docker command." >&2; exit 1 ;;"#;

    let machine = Machine::with_docker(no_compose);
    machine
        .run("run")
        .assert_refused("Docker is here, but Compose is not", "docs.docker.com/compose/install");
    let machine = Machine::with_docker(no_builder);
    machine.run("run").assert_refused("Docker is here, but its builder is not", "docker-buildx");
}

#[test]
fn the_older_compose_is_used_where_the_newer_one_is_missing() {
    let machine = Machine::with_docker(r#""compose"*) exit 1 ;;"#);
    machine.install("docker-compose", r#""port gateway 3000") echo 127.0.0.1:3000 ;;"#);

    let outcome = machine.run("run");

    assert_eq!((outcome.code, &*outcome.said), (0, "The shop is open: http://127.0.0.1:3000\n"));
    assert!(outcome.asked.contains("docker-compose up --detach --no-build\n"), "{}", outcome.asked);
    // Before version 23, docker's builder is built in.
    let machine = Machine::with_docker(
        r#""--version") echo "Docker version 20.10.24+dfsg1, build 297e128" ;; "buildx"*) exit 1 ;;"#,
    );
    assert_eq!(machine.run("run").code, 0);
}

#[test]
fn with_the_wiretap_its_profile_is_started_and_its_address_is_said() {
    let machine = Machine::with_docker(
        r#""compose up"*) echo "$COMPOSE_PROFILES $REPLICA_1_DATABASE $REPLICA_2_DATABASE $DASHBOARD_PORT" >> ../asked ;;
    "compose port wiretap 4000") echo 127.0.0.1:4100 ;;"#,
    );
    fs::write(machine.checkout().join(".env"), "PORT=3100\nWIRETAP=on\n").unwrap();

    let outcome = machine.run("run");

    assert!(outcome.asked.contains("\nwiretap wiretap:5001 wiretap:5002 4100\n"), "{}", outcome.asked);
    assert!(outcome.said.starts_with("The shop's transactions are shown at http://127.0.0.1:4100\n"));
    fs::remove_file(machine.checkout().join(".env")).unwrap();
    assert!(!machine.run("run").said.contains("transactions"));
}

#[test]
fn the_containers_of_another_checkout_are_left_alone() {
    let machine = Machine::without_docker();
    let other = machine.folder.path().join("other/flash-sale");
    fs::create_dir_all(&other).unwrap();
    let owner = format!(r#""ps --all"*) echo '{}' ;;{ALL_IS_WELL}"#, other.display());
    machine.install("docker", &owner);

    // The checkout was moved: there is none any more where the containers were started.
    assert_eq!(machine.run("stop").code, 0);

    fs::remove_file(machine.folder.path().join("asked")).unwrap();
    fs::write(other.join("docker-compose.yml"), "").unwrap();
    for command in ["run", "build", "check", "stop", "clean"] {
        let what = format!("the containers named flash-sale belong to {}", other.display());
        machine.run(command).assert_refused(&what, "COMPOSE_PROJECT_NAME=flash-sale-2");
    }

    // What the last line advises does help.
    fs::write(machine.checkout().join(".env"), "COMPOSE_PROJECT_NAME=flash-sale-2\nPORT=3001\n").unwrap();
    machine.install("docker", &owner.replace("\"ps --all\"*", "*\"project=flash-sale \"*"));
    assert_eq!(machine.run("run").code, 0);
}

#[test]
fn an_image_that_can_not_be_built_stops_nothing() {
    let machine = Machine::with_docker(
        r#""compose build"*) echo "error[E0425]" >&2; exit 17 ;; "compose ps"*) echo 0123 ;;"#,
    );

    for command in ["run", "build"] {
        let outcome = machine.run(command);
        outcome.assert_failed("the image could not be built", &format!("make docker-{command}\n"));
        assert!(!outcome.asked.contains(" up "), "{}", outcome.asked);
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_another_one() {
    let machine = Machine::with_docker(PORT_IS_TAKEN);
    machine.run("run").assert_failed("port 3000 is taken", "PORT=3100 make docker-run\n");

    fs::write(machine.checkout().join(".env"), "PORT=3100\n").unwrap();
    machine.run("run").assert_failed("port 3100 is taken", "PORT=3200 make docker-run\n");
}

#[test]
fn another_password_than_that_of_the_data_is_named() {
    let machine = Machine::with_docker(
        r#""compose up --detach --no-build") echo "service \"migrate\" didn't complete successfully: exit 1"; exit 1 ;;
    "logs"*) echo 'Error: password authentication failed for user "flash_sale"' ;;"#,
    );

    let outcome = machine.run("run");

    outcome
        .assert_failed("the data were made with another POSTGRES_PASSWORD", "make docker-clean docker-run");
    assert!(outcome.said.contains("migrate: Error: password authentication failed"), "{}", outcome.said);
}

#[test]
fn without_containers_there_is_nothing_to_judge_or_to_replace() {
    for command in ["check", "build"] {
        Machine::with_docker("").run(command).assert_refused("no shop runs in containers", "make docker-run");
    }
}

#[test]
fn a_verdict_keeps_its_exit_code() {
    let machine = Machine::with_docker(r#""compose ps"*) echo 0123 ;; "compose run"*) exit 1 ;;"#);

    assert_eq!(machine.run("check").code, 1);
}
