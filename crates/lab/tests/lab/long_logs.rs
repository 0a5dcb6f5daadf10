//! Logs that have become long while the shop is open.

use std::fs::{File, metadata};
use std::io::Write;

use flash_sale_testbed::log_file::LONGEST;

use super::*;

#[tokio::test]
async fn long_logs_are_put_aside_and_the_shop_logs_on_and_both_parts_are_shown() {
    let project = Project::new();
    project.up().await;
    let status = project.status().await;
    let logs = project.path().join(".flash-sale/logs");
    let of_postgres = project.path().join(status["database"]["private"]["log"].as_str().unwrap());
    let aside = |name: &str| logs.join(format!("{name}.log.1"));
    let writers = ["replica-1", "replica-2", "lab"].map(|name| (name, logs.join(format!("{name}.log"))));
    let writers = writers.into_iter().chain([("postgres", of_postgres)]).collect::<Vec<_>>();

    for (name, path) in &writers {
        let mut log = File::options().append(true).open(path).unwrap();
        writeln!(log, "[2026-01-01T00:00:00.000Z WARN ] the oldest of {name}").unwrap();
        let line = format!("[2026-01-01T00:00:00.001Z INFO ] {}\n", "x".repeat(4_000));
        log.write_all(line.repeat(LONGEST as usize / 4_000).as_bytes()).unwrap();
    }
    for (name, path) in &writers {
        let is_put_aside = async || metadata(path).unwrap().len() < LONGEST;
        wait_until("it is put aside", is_put_aside).await;
        let older = metadata(aside(name)).unwrap();
        assert!(older.len() > LONGEST && older.permissions().mode() & 0o7777 == 0o600, "{name}: {older:?}");
    }

    // Each new connection goes to the next replica.
    for _ in 0..2 {
        assert!(flash_sale_testbed::http::answers_ok(&project.url("/api/products")).await);
    }
    let psql = project.run(&["psql", "-c", "SELECT a mistake"]).await;
    assert!(!psql.success);
    for (name, path) in &writers {
        let said = match *name {
            "lab" => continue,
            "postgres" => "a mistake",
            _ => "GET /api/products 200",
        };
        wait_until("it logs on", async || fs::read_to_string(path).unwrap().contains(said)).await;
    }
    let shown = project.run(&["logs", "--no-follow"]).await.output;
    for said in ["the oldest of replica-1", "the oldest of replica-2", "the oldest of lab"] {
        assert!(shown.contains(said), "{said} is missing");
    }
    let older = shown.find("the oldest of replica-2").unwrap();
    assert!(older < shown.rfind("GET /api/products 200").unwrap(), "in the order of time");

    // The next server waits until nobody holds the log of the server before it.
    let stop =
        Request::StopDatabase { seconds: 0, how: flash_sale_lab::control::messages::DatabaseStop::Fast };
    assert_eq!(project.ask(&stop).await, Event::Done);
    project.run(&["down"]).await;
}
