//! Checks that the files that run the shop in containers agree with one another, and with what README.md
//! says of them.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

#[path = "containers/commands.rs"]
mod commands;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use flash_sale_core::limits::SHUTDOWN_TIMEOUT;
use serde_json::{Value, json};

const REPLICAS: [&str; 2] = ["replica-1", "replica-2"];
/// The script that the Makefile's docker-… commands run.
const COMMANDS: &str = "crates/lab/containers.sh";

#[test]
fn every_container_is_in_the_readme_and_no_other() {
    let compose = compose();
    let services: BTreeSet<&str> =
        compose["services"].as_object().unwrap().keys().map(String::as_str).collect();

    let section = readme_section();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let named: BTreeSet<&str> = rows.flat_map(code_spans).collect();

    assert_eq!(named, services);
}

#[test]
fn the_readme_names_the_variables_the_commands_and_the_port_of_the_containers() {
    let section = readme_section();
    let spans: BTreeSet<&str> = code_spans(&section).collect();

    let used = read("docker-compose.yml");
    let used: BTreeSet<&str> = used.split("${").skip(1).filter_map(|rest| rest.split(":-").next()).collect();
    let named = spans.iter().copied().filter(|span| is_variable(span));
    // The commands set these.
    let beyond_settings =
        BTreeSet::from(["COMPOSE_PROJECT_NAME", "REPLICA_1_DATABASE", "REPLICA_2_DATABASE"]);
    assert_eq!(named.collect::<BTreeSet<_>>(), &used - &beyond_settings);

    let makefile = read("Makefile");
    for target in spans.iter().filter_map(|span| span.strip_prefix("make ")) {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
    let port = published_port();
    assert!(section.contains(&format!("http://localhost:{port}>")));
    assert!(section.contains(&format!("listens on port {port} ")));
    assert!(read("README.md").contains(&format!("\n| `PORT` | {port} |")));
    let major = text(&compose()["services"]["postgres"]["image"]).replace("postgres:", "");
    assert!(section.contains(&format!("PostgreSQL {};", major.split('-').next().unwrap())));
    let user = compose()["services"]["postgres"]["environment"]["POSTGRES_USER"].clone();
    assert!(section.contains(&format!("docker compose exec postgres psql --username={}`", text(&user))));
}

#[test]
fn a_request_finds_its_way_from_the_published_port_to_a_replica() {
    let (compose, nginx) = (compose(), read("nginx/nginx.conf"));
    let services = &compose["services"];

    // The port in "${HOST:-127.0.0.1}:${PORT:-3000}:3000".
    let port = published_port();
    assert_eq!(
        services["gateway"]["ports"],
        json!([format!("${{HOST:-127.0.0.1}}:${{PORT:-{port}}}:{port}")])
    );
    assert_eq!(word_after(&nginx, "listen "), port);
    let takes_no_turn = json!(["CMD", "nc", "-z", "127.0.0.1", port]);
    assert_eq!(services["gateway"]["healthcheck"]["test"], takes_no_turn);
    let configuration = services["gateway"]["entrypoint"].as_array().unwrap().last().unwrap();
    let mount = format!("./nginx/nginx.conf:{}:ro", text(configuration));
    assert_eq!(services["gateway"]["volumes"], json!([mount]));

    let image_port = word_after(&read("Dockerfile"), "EXPOSE ").to_owned();
    let behind: Vec<&str> = nginx.lines().filter_map(|line| line.trim().strip_prefix("server ")).collect();
    let behind = behind.iter().filter(|server| server.contains(':')).map(|server| word_after(server, ""));
    let expected = REPLICAS.map(|replica| format!("{replica}:{image_port}"));
    assert_eq!(behind.collect::<Vec<_>>(), expected);
    assert!(
        read("crates/web/src/settings.rs")
            .contains(&format!("whole_number(\"PORT\", \"a port\", {image_port},"))
    );

    for replica in REPLICAS {
        let environment = &services[replica]["environment"];
        assert_eq!(environment["REPLICA_NAME"], replica);
        assert_eq!(environment["ORDER_API_URL"], format!("http://gateway:{port}/api/orders"));
        assert!(text(&environment["ALLOWED_HOSTS"]).starts_with("gateway,"), "the checkout client is let in");
        assert_eq!(services[replica]["image"], services["migrate"]["image"]);
    }
    assert_eq!(
        services["check"]["command"],
        json!(["/lab", "check", "--url", format!("http://gateway:{port}")])
    );
    assert!(read(COMMANDS).contains(&format!(" check /lab check --url http://gateway:{port} ")));
    assert!(read(COMMANDS).contains(&format!(" http://127.0.0.1:{port}/health ")));
}

/// `lab tap` gives each replica a port, from the first one on.
#[test]
fn with_the_wiretap_each_replica_finds_the_database_at_a_port_of_its_own() {
    let (compose, commands) = (compose(), read(COMMANDS));

    let wiretap = &compose["services"]["wiretap"];
    assert_eq!(wiretap["profiles"], json!(["wiretap"]));
    let command: Vec<&str> = wiretap["command"].as_array().unwrap().iter().map(text).collect();
    let after = |option: &str| command.iter().skip_while(|word| **word != option).nth(1).unwrap();
    let port: u16 = after("--listen").strip_prefix("0.0.0.0:").unwrap().parse().unwrap();
    for (replica, number) in REPLICAS.iter().zip(0..) {
        let variable = format!("{}_DATABASE", replica.to_uppercase().replace('-', "_"));
        assert!(commands.contains(&format!(" {variable}=wiretap:{}", port + number)), "{variable}");
        let url = text(&compose["services"][*replica]["environment"]["DATABASE_URL"]).to_owned();
        assert!(url.contains(&format!("@${{{variable}:-postgres:5432}}/")), "{url}");
    }
    let dashboard = after("--dashboard").strip_prefix("0.0.0.0:").unwrap();
    let published = format!("${{HOST:-127.0.0.1}}:${{DASHBOARD_PORT:-4000}}:{dashboard}");
    assert_eq!(wiretap["ports"], json!([published]));
    assert!(commands.contains(&format!(" port wiretap {dashboard})")));
}

#[test]
fn every_variable_of_a_replica_is_one_that_it_reads() {
    let compose = compose();
    let readers = ["web/src/settings.rs", "core/src/allowed_hosts.rs", "core/src/database_url.rs"];
    let settings: String = readers.map(|file| read(format!("crates/{file}"))).concat();
    let environment = compose["services"]["replica-1"]["environment"].as_object().unwrap();

    for name in environment.keys() {
        // The database driver reads PGPASSWORD.
        assert!(name == "PGPASSWORD" || settings.contains(&format!("\"{name}\"")), "{name}");
    }
    let database = &compose["services"]["postgres"]["environment"];
    let (user, name) = (text(&database["POSTGRES_USER"]), text(&database["POSTGRES_DB"]));
    let url = format!("postgres://flash_sale_shop@${{REPLICA_1_DATABASE:-postgres:5432}}/{name}");
    assert_eq!(environment["DATABASE_URL"], url);
    assert!(environment.keys().all(|variable| !variable.starts_with("MIGRATION_")), "a replica is no owner");
    for service in ["migrate", "check"] {
        let environment = &compose["services"][service]["environment"];
        let owner = format!("postgres://{user}@postgres:5432/{name}");
        assert_eq!(environment["MIGRATION_DATABASE_URL"], owner, "{service}");
        assert_eq!(environment["MIGRATION_PGPASSWORD"], database["POSTGRES_PASSWORD"], "{service}");
        assert_ne!(environment["PGPASSWORD"], environment["MIGRATION_PGPASSWORD"], "{service}");
    }
    for service in ["migrate", "check", "wiretap"] {
        let their = &compose["services"][service]["environment"];
        let url = format!("postgres://flash_sale_shop@postgres:5432/{name}");
        assert_eq!((&their["DATABASE_URL"], &their["PGPASSWORD"]), (&json!(url), &environment["PGPASSWORD"]));
    }
}

#[test]
fn no_container_can_do_more_than_it_needs() {
    let compose = compose();

    for (name, service) in compose["services"].as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        let ends = name == "migrate" || name == "check";
        assert_eq!(service["restart"], if ends { "no" } else { "unless-stopped" }, "{name}");
        let is_published = name == "gateway" || name == "wiretap";
        assert_eq!(service.get("ports").is_some(), is_published, "{name} is published");
        let has_own_user = service["user"].is_string() || service["build"].is_string();
        assert!(has_own_user, "{name} runs as root");
        let is_on_the_front = service["networks"].as_array().unwrap().contains(&json!("front"));
        assert_eq!(is_on_the_front, name != "postgres" && name != "migrate", "{name}");
    }
    assert_ne!(word_after(&read("Dockerfile"), "\nUSER "), "root");
}

#[test]
fn no_container_can_take_the_whole_machine() {
    let compose = compose();

    for (name, service) in compose["services"].as_object().unwrap() {
        let memory = text(&service["mem_limit"]).strip_suffix('m').and_then(|mib| mib.parse::<u32>().ok());
        let memory = memory.unwrap_or_else(|| panic!("{name} has a limit in MiB"));
        // The limit is above what a service needs. PostgreSQL has 128 MiB to share and a hundred connections.
        let needed = if name == "postgres" { 1024 } else { 256 };
        assert!((needed..=2048).contains(&memory), "{name}: {memory} MiB");
        let processes = service["pids_limit"].as_u64().unwrap_or_else(|| panic!("{name} has a limit"));
        // A replica reads files in threads, up to 512 of them. PostgreSQL has a process for each connection.
        let needed = if service["build"].is_string() {
            600
        } else if name == "postgres" {
            150
        } else {
            10
        };
        assert!((needed..=1024).contains(&processes), "{name}: {processes} processes");
    }
}

#[test]
fn each_starts_when_what_it_needs_is_there() {
    let compose = compose();
    let needs = |service: &str| compose["services"][service]["depends_on"].clone();

    assert_eq!(needs("migrate"), json!({ "postgres": { "condition": "service_healthy" } }));
    for replica in REPLICAS {
        assert_eq!(needs(replica), json!({ "migrate": { "condition": "service_completed_successfully" } }));
        assert_eq!(needs("gateway")[replica], json!({ "condition": "service_healthy" }));
    }
    for service in ["postgres", "replica-1", "replica-2", "gateway"] {
        assert!(compose["services"][service]["healthcheck"]["test"].is_array(), "{service}");
    }
}

#[test]
fn what_is_in_flight_is_answered_before_a_container_is_killed() {
    let compose = compose();
    let grace = |service: &str| seconds(text(&compose["services"][service]["stop_grace_period"]));

    for replica in REPLICAS {
        assert!(grace(replica) > SHUTDOWN_TIMEOUT, "{replica}");
    }
    assert!(grace("gateway") > seconds(word_after(&read("nginx/nginx.conf"), "proxy_read_timeout ")));
}

#[test]
fn the_image_is_built_from_this_workspace() {
    let (dockerfile, workspace) = (read("Dockerfile"), read("Cargo.toml"));
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(dockerfile.contains(&format!("FROM rust:{version}-")), "rust-toolchain.toml says {version}");

    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    for member in members.split(',').map(|member| member.trim().trim_matches('"')) {
        let top = member.split('/').next().unwrap();
        assert!(
            dockerfile.contains(&format!(
                "
COPY {top} {top}
"
            )),
            "{member} is not copied"
        );
    }
    let copied = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let from_here = copied.filter(|arguments| !arguments.starts_with("--from="));
    let ignored = read(".dockerignore");
    for source in from_here.flat_map(|arguments| arguments.rsplit_once(' ').unwrap().0.split(' ')) {
        let top = source.split('/').next().unwrap();
        assert!(ignored.contains(&format!("\n!{top}\n")), ".dockerignore keeps {top} out");
        assert!(root().join(source).exists(), "{source}");
    }

    let compose = read("docker-compose.yml");
    for (program, manifest) in
        [("flash-sale-web", "crates/web"), ("migrate", "migration"), ("lab", "crates/lab")]
    {
        assert!(dockerfile.contains(&format!("target/*/release/{program}")), "{program}");
        assert!(read(format!("{manifest}/Cargo.toml")).contains(&format!("name = \"{program}\"\npath")));
        assert!(compose.contains(&format!("/{program}")), "{program}");
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[track_caller]
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn compose() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).unwrap()
}

fn published_port() -> String {
    let ports = compose()["services"]["gateway"]["ports"][0].clone();
    text(&ports).rsplit(':').next().unwrap().to_owned()
}

fn readme_section() -> String {
    let readme = read("README.md");
    let (_, section) = readme.split_once("### With Docker alone\n").expect("README.md has this section");
    section.split("\n## ").next().unwrap().to_owned()
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}"))
}

/// The seconds in a text like "30s".
#[track_caller]
fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.trim_end_matches('s').parse().unwrap())
}

fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

fn is_variable(span: &str) -> bool {
    span.len() > 1 && span.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The first word that follows the first `before`.
#[track_caller]
fn word_after<'a>(text: &'a str, before: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
    rest.split_whitespace().next().unwrap().trim_end_matches(';')
}
