//! `/metrics`, read as Prometheus reads it.

use std::collections::BTreeMap;

use crate::fake_rooms::FakeRooms;
use crate::served::Served;

/// The samples by their names and labels. Panics at a line that is not of the text format 0.0.4: a comment, or a name with
/// labels and one number. Each sample's HELP and TYPE stand before it.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    };
    assert!(text.ends_with('\n'), "{text}");
    let (mut described, mut samples) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !words.is_empty(), "{line}");
            assert!(described.insert(name, "").is_none(), "described twice: {line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["gauge", "counter"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            *described.get_mut(name).expect("HELP stands before TYPE") = kind;
        } else {
            let (sample, number) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            assert!(is_name(name) && name.starts_with("flash_sale_"), "{line}");
            assert!(!described[name].is_empty(), "no TYPE: {line}");
            let labels = labels.strip_suffix('}').unwrap();
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (name, value) = label.split_once('=').unwrap();
                assert!(is_name(name) && value.starts_with('"') && value.ends_with('"'), "{line}");
            }
            let number = number.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(samples.insert(sample.to_owned(), number).is_none(), "twice: {line}");
        }
    }
    samples
}

#[tokio::test]
async fn prometheus_can_read_the_figures_of_replicas_gateway_and_database() {
    let dashboard = Served::start(Vec::new());
    let answer = dashboard.get("/metrics").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");

    let samples = parse(&answer.text().await.unwrap());

    for (sample, number) in [
        ("flash_sale_stock_copies", -1.0),
        ("flash_sale_orders", 2.0),
        ("flash_sale_replica_up{replica=\"replica-1\"}", 1.0),
        ("flash_sale_replica_up{replica=\"replica-2\"}", 0.0),
        ("flash_sale_replica_restarts_total{replica=\"replica-2\"}", 1.0),
        ("flash_sale_replica_start_time_seconds{replica=\"replica-1\"}", 1_764_000_000.0),
        ("flash_sale_gateway_connections", 3.0),
        ("flash_sale_gateway_connections_accepted_total", 77.0),
        ("flash_sale_database_up", 1.0),
        ("flash_sale_database_locks{state=\"awaited\"}", 1.0),
        ("flash_sale_database_sessions{program=\"replica-1\",state=\"idle\"}", 13.0),
        ("flash_sale_database_sessions{program=\"replica-1\",state=\"waiting\"}", 1.0),
        ("flash_sale_database_transactions_total{ending=\"rollback\"}", 50.0),
        ("flash_sale_database_deadlocks_total", 3.0),
        ("flash_sale_wire_recent_transactions{ending=\"purchase\"}", 25.0),
        ("flash_sale_wire_recent_window_seconds", 10.0),
        ("flash_sale_build_up_to_date", 1.0),
    ] {
        assert_eq!(samples.get(sample), Some(&number), "{sample}\n{samples:#?}");
    }
}

#[tokio::test]
async fn without_its_database_the_figures_of_the_database_are_left_out() {
    let rooms = FakeRooms::default();
    rooms.shop.state.lock().unwrap().database = None;

    let samples = parse(&Served::with(Vec::new(), &rooms).text("/metrics").await);

    assert_eq!(samples["flash_sale_database_up"], 0.0);
    assert!(!samples.keys().any(|name| name.contains("stock") || name.contains("sessions")), "{samples:#?}");
}

#[tokio::test]
async fn a_programs_name_can_hold_any_character() {
    let rooms = FakeRooms::default();
    let name = |rooms: &FakeRooms, name: &str| {
        let mut state = rooms.shop.state.lock().unwrap();
        state.database.as_mut().unwrap().sessions[0].name = name.to_owned();
    };
    name(&rooms, "a \"b\" \\ c\nd");

    let text = Served::with(Vec::new(), &rooms).text("/metrics").await;

    assert!(text.contains(r#"program="a \"b\" \\ c\nd""#), "{text}");
}
