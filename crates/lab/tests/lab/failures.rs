//! What a person reads when something is wrong. Nothing is left running then.

use std::net::TcpListener;

use flash_sale_lab::control::messages::Status;
use flash_sale_testbed::testing::TestDatabase;
use reqwest::Url;
use sea_orm::ConnectionTrait;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixListener;
use uuid::Uuid;

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
    let role = format!("role_{}", Uuid::new_v4().simple());
    let make = format!("CREATE ROLE {role} PASSWORD 'right-secret'");
    database.connection.execute_unprepared(&make).await.unwrap();
    let project = Project::new();
    let url = Url::parse(&database.url).unwrap();
    let changed = |change: &dyn Fn(&mut Url)| {
        let mut url = url.clone();
        change(&mut url);
        url.to_string()
    };

    for (url, reason) in [
        (
            changed(&|url| url.set_password(Some("wrong-secret")).unwrap()),
            r#"password authentication failed for user "postgres""#.to_owned(),
        ),
        (
            changed(&|url| {
                url.set_username(&role).unwrap();
                url.set_password(Some("right-secret")).unwrap();
            }),
            format!(r#"role "{role}" is not permitted to log in"#),
        ),
        (changed(&|url| url.set_path("nowhere")), r#"database "nowhere" does not exist"#.to_owned()),
    ] {
        let errors = failing_up(&project, &[("DATABASE_URL", &url)]).await;

        let expected = format!("error: DATABASE_URL: {reason}. Correct it\nAfter the correction: make run\n");
        assert_eq!(errors, expected);
    }
    database.connection.execute_unprepared(&format!("DROP ROLE {role}")).await.unwrap();
}

#[tokio::test]
async fn a_role_that_may_not_make_the_tables_is_said_with_the_setting_for_another_one() {
    let database = TestDatabase::create_empty().await;
    let role = format!("role_{}", Uuid::new_v4().simple());
    let make = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'poor-secret'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    );
    database.connection.execute_unprepared(&make).await.unwrap();
    let mut url = Url::parse(&database.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("poor-secret")).unwrap();

    let errors = failing_up(&Project::new(), &[("DATABASE_URL", url.as_str())]).await;

    assert_eq!(
        errors,
        "error: the migration failed: permission denied for schema public\n\
         A role of its own may make the tables. Name it in MIGRATION_DATABASE_URL.\n\
         After the correction: make run\n"
    );
    database.connection.execute_unprepared(&format!("DROP ROLE {role}")).await.unwrap();
}

#[tokio::test]
async fn without_a_running_lab_each_command_says_how_to_start_it() {
    let project = Project::new();

    for command in ["restart", "status", "psql"] {
        let outcome = project.run(&[command]).await;
        assert!(!outcome.success);
        assert_eq!(outcome.errors, "error: the shop is not running. Start it: make run\n", "lab {command}");
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
    assert_eq!(outcome.errors, "error: the shop is not running. Start it: make run\n");
    project.run(&["down"]).await;
}

/// The same happens in a lab in which a command has panicked.
#[tokio::test]
async fn a_lab_that_breaks_off_its_answer_is_not_said_to_be_gone() {
    let project = Project::new();
    fs::create_dir(project.path().join(".flash-sale")).unwrap();
    let listener = UnixListener::bind(project.path().join(CONTROL_SOCKET)).unwrap();
    let status = serde_json::to_string(&Event::Status(Status {
        pid: 1,
        url: String::new(),
        address: "127.0.0.1:1".parse().unwrap(),
        connections_open: 0,
        most_connections: 0,
        connections_accepted: 0,
        replicas: Vec::new(),
        database: None,
        wiretap: false,
        dashboard: None,
    }));
    let status = status.unwrap();
    let answering = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
            if line.contains("status") {
                stream.write_all(format!("{status}\n").as_bytes()).await.unwrap();
            }
        }
    };

    let restart = tokio::select! {
        () = answering => unreachable!("it answers for ever"),
        restart = project.run(&["restart"]) => restart,
    };

    assert!(
        restart
            .errors
            .starts_with("error: `lab serve`, which runs the shop, still runs, but its answer broke off. "),
        "{}",
        restart.errors
    );
}
