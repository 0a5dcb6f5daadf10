//! `lab timeline`: what a person reads of a click, without the dashboard. The purchases name their way to sell, so that
//! the tests hold before and after the walkthrough's edit.

use flash_sale_lab::guide::timeline::PrintedTimeline;
use serde_json::json;

use super::*;

/// A shop with a wiretap, without a dashboard, and with payments that take long enough for two purchases to overlap.
async fn open(database: &TestDatabase) -> Project {
    let mut project = Project::on(database);
    let settings = [("WIRETAP", "on"), ("DASHBOARD_PORT", "0"), ("RACE_WINDOW_MS", "700")];
    project.variables.extend(settings.map(|(name, value)| (name, value.to_owned())));
    project.up().await;
    project
}

/// Two buyers at once, each on a connection of its own, and so on a replica of its own. Returns what they are told.
async fn two_buy(project: &Project, strategy: &str) -> [u16; 2] {
    let client = || reqwest::Client::builder().no_proxy().build().unwrap();
    let reset = client().post(project.url("/api/reset")).send().await.unwrap();
    assert!(reset.status().is_success());
    let products = client().get(project.url("/api/products")).send().await.unwrap();
    let products: Value = products.json().await.unwrap();
    let id = products["id"].as_str().unwrap_or_else(|| panic!("{products}"));
    let order = json!({"product_id": id, "strategy": strategy});
    let buy = async || {
        let answer = client().post(project.url("/api/orders")).json(&order).send().await.unwrap();
        answer.status().as_u16()
    };
    let (one, other) = tokio::join!(buy(), buy());
    [one, other]
}

/// What is printed, read as a person reads it.
async fn printed(project: &Project) -> (String, PrintedTimeline) {
    let printed = project.run(&["timeline"]).await;
    assert!(printed.success, "{}", printed.errors);
    let text = printed.output;
    assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let timeline = PrintedTimeline::read(&text).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    (text, timeline)
}

/// The place of the first row, and of the last, with these words in a column.
#[track_caller]
fn rows_with(timeline: &PrintedTimeline, words: &str) -> (usize, usize) {
    let has_words = |row: &flash_sale_lab::guide::timeline::PrintedRow| {
        row.cells.iter().any(|cell| cell.starts_with(words))
    };
    let first = timeline.rows.iter().position(has_words);
    let last = timeline.rows.iter().rposition(has_words);
    first.zip(last).unwrap_or_else(|| panic!("no row with {words:?}: {timeline:#?}"))
}

#[tokio::test]
async fn without_a_lock_both_reads_come_before_either_update() {
    let database = TestDatabase::create().await;
    let project = open(&database).await;

    assert_eq!(two_buy(&project, "unlocked").await, [200, 200]);
    let (text, timeline) = printed(&project).await;

    assert_eq!(timeline.facts[1], "Both reads saw quantity 1.", "{text}");
    // What comes after the payment may wait for a moment: both buyers change the same row.
    assert!(timeline.facts[3].starts_with("2 new orders: "), "{text}");
    let ((first_read, last_read), (first_update, _)) =
        (rows_with(&timeline, "SELECT: saw quantity 1"), rows_with(&timeline, "UPDATE"));
    assert!(first_read < last_read && last_read < first_update, "{text}");
    assert_eq!(timeline.rows.last().unwrap().counts, ["-1", "2"], "{text}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn with_a_lock_one_read_waits_for_the_other_commit() {
    let database = TestDatabase::create().await;
    let project = open(&database).await;

    let mut told = two_buy(&project, "pessimistic").await;
    told.sort_unstable();
    assert_eq!(told, [200, 400]);
    let (text, timeline) = printed(&project).await;

    assert!(timeline.facts[2].contains(" waited "), "{text}");
    let ((_, asks), (commit, _), (waited, _), (saw, _)) = (
        rows_with(&timeline, "SELECT FOR UPDATE"),
        rows_with(&timeline, "COMMIT"),
        rows_with(&timeline, "waited "),
        rows_with(&timeline, "saw quantity 0"),
    );
    assert!(asks < commit && commit < waited && waited < saw, "{text}");
    assert!(timeline.rows[commit].cells.iter().any(|cell| cell.starts_with("... waits for ")), "{text}");
    assert_eq!(timeline.rows.last().unwrap().counts, ["0", "1"], "{text}");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn an_earlier_click_is_printed_by_its_number_also_as_json_and_as_a_picture() {
    let database = TestDatabase::create().await;
    let project = open(&database).await;
    two_buy(&project, "unlocked").await;
    let (first, _) = printed(&project).await;
    two_buy(&project, "unlocked").await;
    let (second, _) = printed(&project).await;
    assert_ne!(first, second);
    let number = first.split(['\n', ',']).next().unwrap().strip_prefix("Click ").unwrap();

    assert_eq!(project.run(&["timeline", "--click", number]).await.output, first);
    assert_eq!(project.run(&["timeline", "--last"]).await.output, second);
    let json = project.run(&["timeline", "--click", number, "--json"]).await.output;
    let transactions: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(transactions[0]["number"].to_string(), number);
    for transaction in &transactions {
        assert_eq!(
            (&transaction["outcome"], &transaction["statements"][0]["sql"]),
            (&json!("committed"), &json!("BEGIN"))
        );
        let order = transaction["order_id"].as_str().unwrap();
        assert!(first.contains(&order[..8]), "{order}\n{first}");
    }
    let picture = project.run(&["timeline", "--click", number, "--svg"]).await.output;
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"), "{picture}");
    assert!(picture.contains(&format!("Click {number}:")), "{picture}");

    let unknown = project.run(&["timeline", "--click", "999999"]).await;
    assert!(!unknown.success && unknown.errors.contains("there is no click 999999"), "{}", unknown.errors);
    assert!(
        unknown.errors.contains("The last clicks: ") && unknown.errors.contains(number),
        "{}",
        unknown.errors
    );
    project.run(&["down"]).await;
}

#[tokio::test]
async fn where_there_is_nothing_to_print_it_says_why_and_what_to_do() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    let says = async |project: &Project, expected: &[&str]| {
        let printed = project.run(&["timeline"]).await;
        assert!(!printed.success && printed.output.is_empty(), "{}", printed.output);
        for expected in expected {
            assert!(printed.errors.contains(expected), "{}", printed.errors);
        }
    };
    says(&project, &["error: the shop is not running. Start it: make run"]).await;

    project.variables.push(("WIRETAP", "off".to_owned()));
    project.up().await;
    says(&project, &["without the wiretap (WIRETAP=off)", "WIRETAP=on make stop run"]).await;
    project.run(&["down"]).await;

    project.variables.extend([("WIRETAP", "on".to_owned()), ("DASHBOARD_PORT", "0".to_owned())]);
    project.up().await;
    // Pages and resets are no purchases.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(client.get(project.url("/")).send().await.unwrap().status().is_success());
    assert!(client.post(project.url("/api/reset")).send().await.unwrap().status().is_success());
    let url = format!("http://localhost:{}", project.port);
    says(&project, &["nobody has bought anything", &url, "then: make timeline"]).await;
    project.run(&["down"]).await;

    // A file is in the way of the wiretap's folder.
    fs::remove_dir_all(project.path().join(".flash-sale/wire")).unwrap();
    fs::write(project.path().join(".flash-sale/wire"), "").unwrap();
    project.up().await;
    says(&project, &["it could not be opened when the shop was started", "make stop run"]).await;
    project.run(&["down"]).await;
}
