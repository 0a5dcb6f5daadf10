//! What a person reads when something is wrong, and that nothing is left running then.

use std::net::TcpListener;

use flash_sale_lab::testing::TestDatabase;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

async fn failing_up(project: &Project, variables: &[(&str, &str)]) -> String {
    let output = project.command(&["up"]).envs(variables.iter().copied()).output().await.unwrap();
    let outcome = Outcome::of(output);
    assert!(!outcome.success, "{}", outcome.output);
    assert_eq!(project.run(&["down"]).await.output, "Nothing is running.\n");
    outcome.errors
}

#[tokio::test]
async fn a_bad_setting_is_named_with_what_it_should_be() {
    let project = Project::new();
    let cases = [
        ("PORT", "abc", "error: PORT=abc: expected a port from 1 to 65535\n"),
        ("PORT", "65536", "error: PORT=65536: expected a port from 1 to 65535\n"),
        ("REPLICAS", "0", "error: REPLICAS=0: expected a whole number from 1 to 8\n"),
        ("HOST", "here", "error: HOST=here: expected an IP address, as 127.0.0.1 or 0.0.0.0\n"),
        (
            "RACE_WINDOW_MS",
            "1.5",
            "error: RACE_WINDOW_MS=1.5: expected a whole number of milliseconds from 0 to 3000\n",
        ),
        (
            "RETRY_AFTER_MS",
            "-1",
            "error: RETRY_AFTER_MS=-1: expected a whole number of milliseconds from 0 to 10000\n",
        ),
        ("DATABASE_POOL_SIZE", "0", "error: DATABASE_POOL_SIZE=0: expected a whole number from 1 to 1000\n"),
        (
            "ALLOWED_HOSTS",
            "http://shop.example",
            "error: ALLOWED_HOSTS=http://shop.example: expected names of hosts without ports, as \
             shop.example,www.shop.example\n",
        ),
        (
            "DATABASE_URL",
            "mysql://me:secret@host/db",
            "error: DATABASE_URL=(hidden): expected postgres://user:password@host:port/database\n",
        ),
        (
            "PG_BIN_DIR",
            "/nowhere",
            "error: PG_BIN_DIR=/nowhere: expected a folder with initdb and postgres\n",
        ),
    ];
    for (name, value, expected) in cases {
        assert_eq!(failing_up(&project, &[(name, value)]).await, expected);
    }
}

#[tokio::test]
async fn settings_are_read_from_dotenv_too_and_the_environment_wins() {
    let project = Project::new();
    fs::write(project.path().join(".env"), "REPLICAS=nine\n").unwrap();

    let from_dotenv = failing_up(&project, &[]).await;
    let from_environment = failing_up(&project, &[("REPLICAS", "ten")]).await;

    assert!(from_dotenv.starts_with("error: REPLICAS=nine: "), "{from_dotenv}");
    assert!(from_environment.starts_with("error: REPLICAS=ten: "), "{from_environment}");
    fs::remove_file(project.path().join(".env")).unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_with_another_one_to_try() {
    let project = Project::new();
    let _taken = TcpListener::bind(("127.0.0.1", project.port)).unwrap();

    let errors = failing_up(&project, &[]).await;

    let (port, other) = (project.port, project.port + 100);
    assert_eq!(
        errors,
        format!("error: port {port} is taken. Stop what uses it, or: PORT={other} make run\n")
    );
}

#[tokio::test]
async fn a_shop_that_is_not_built_is_said_with_what_to_type() {
    let project = Project::new();
    // A link, not a copy: while a file is written, a process that another test starts may hold it open, and
    // it can't be run.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let alone = folder.path().join("lab");
    fs::hard_link(LAB, &alone).unwrap();

    let output = Command::new(&alone).arg("up").current_dir(project.path()).output().await.unwrap();

    let errors = Outcome::of(output).errors;
    assert!(
        errors.ends_with("flash-sale-web is missing. Build and start everything: make run\n"),
        "{errors}"
    );
}

#[tokio::test]
async fn outside_the_project_it_says_where_to_go() {
    let elsewhere = tempfile::tempdir().unwrap();

    let output = Command::new(LAB).arg("status").current_dir(elsewhere.path()).output().await.unwrap();

    let errors = Outcome::of(output).errors;
    assert_eq!(errors, "error: this is not the project's folder. Go there first: cd path/to/flash-sale\n");
}

#[tokio::test]
async fn a_shop_that_does_not_start_is_said_with_its_own_words() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);

    let errors = failing_up(&project, &[("ORDER_API_URL", "nonsense")]).await;

    assert!(errors.starts_with("error: replica-1 ended while it started"), "{errors}");
    assert!(errors.contains("ORDER_API_URL=nonsense"), "{errors}");
}

#[tokio::test]
async fn a_database_that_says_no_is_not_waited_for_and_its_password_is_not_shown() {
    let database = TestDatabase::create().await;
    let (user, host) = database.url.split_once('@').unwrap();
    let password = user.rsplit(':').next().unwrap();
    let mut project = Project::new();
    let url = format!("{}@{host}", user.replace(password, "wrong-secret"));
    project.variables = vec![("DATABASE_URL", url)];

    let errors = failing_up(&project, &[]).await;

    assert!(errors.starts_with("error: DATABASE_URL: "), "{errors}");
    assert!(errors.contains("password authentication failed"), "{errors}");
    assert!(!errors.contains("wrong-secret"), "{errors}");
}

#[tokio::test]
async fn without_a_running_lab_each_command_says_how_to_start_it() {
    let project = Project::new();

    for command in ["restart", "status", "psql"] {
        let outcome = project.run(&[command]).await;
        assert!(!outcome.success);
        assert_eq!(outcome.errors, "error: the lab is not running. Start it: make run\n", "lab {command}");
    }
    assert_eq!(
        project.run(&["logs"]).await.errors,
        "error: there are no logs yet. Start the shop: make run\n"
    );
    let down = project.run(&["down"]).await;
    assert!(down.success);
    assert_eq!(down.output, "Nothing is running.\n");
}

#[tokio::test]
async fn a_restart_whose_lab_is_killed_does_not_claim_success() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let lab = project.status().await["pid"].as_u64().unwrap() as u32;

    let mut restart = project.command(&["restart"]).spawn().unwrap();
    let mut lines = BufReader::new(restart.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "replica-1 replaced");
    kill(lab);

    let outcome = Outcome::of(restart.wait_with_output().await.unwrap());
    assert!(!outcome.success);
    assert_eq!(outcome.errors, "error: the lab is not running. Start it: make run\n");
    project.run(&["down"]).await;
}
