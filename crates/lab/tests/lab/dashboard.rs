//! The dashboard's pages on a real shop.

use flash_sale_core::product;
use flash_sale_lab::control::messages::DatabaseStop;
use flash_sale_lab::project::BENCH_REPORT;
use flash_sale_testbed::testing::SideConnection;
use sea_orm::EntityTrait;
use serde_json::json;

use super::bench::written::{example, keep};
use super::check::what_is_there;
use super::*;

/// A project whose dashboard is open, and the dashboard's URL.
async fn with_dashboard(mut project: Project) -> (Project, Dashboard) {
    let port = port_of_ones_own();
    project.variables.extend([("WIRETAP", "on".to_owned()), ("DASHBOARD_PORT", port.to_string())]);
    project.up().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    (project, Dashboard { url: format!("http://127.0.0.1:{port}"), client })
}

struct Dashboard {
    url: String,
    client: reqwest::Client,
}

impl Dashboard {
    async fn text(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.url)).header("accept", "text/html");
        answer.send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    /// Sends a form of one of the dashboard's own pages, and returns the page that the answer leads to.
    async fn post(&self, path: &str, form: &str) -> reqwest::Response {
        let request = self.client.post(format!("{}{path}", self.url)).header("origin", &self.url);
        request.header("accept", "text/html").body(form.to_owned()).send().await.unwrap()
    }

    /// The page, as soon as it holds this text. A check may take a minute.
    async fn until(&self, path: &str, text: &str) -> String {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(100);
        loop {
            let page = self.text(path).await;
            if page.contains(text) {
                return page;
            }
            assert!(std::time::Instant::now() < until, "{text}\n{page}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn state(&self) -> Value {
        serde_json::from_str(&self.text("/api/state").await).unwrap()
    }
}

#[tokio::test]
async fn the_state_shows_who_waits_for_whom_and_what_was_sold() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;
    let state = dashboard.state().await;
    assert_eq!(
        (&state["build"], &state["replicas"][1]["answers"]),
        (&json!({ "is": "up_to_date" }), &json!(true))
    );
    assert_eq!(
        (&state["database"]["book"]["stock"], &state["database"]["locks"]),
        (&json!(1), &json!([])),
        "{state:#}"
    );

    let book = product::Entity::find().one(&database.connection).await.unwrap().unwrap();
    let side = SideConnection::open(&database.url).await;
    side.begin().await;
    side.lock_product(book.id).await;
    let order =
        dashboard.client.post(project.url("/api/orders")).json(&json!({ "product_id": book.id })).send();
    let order = tokio::spawn(order);
    let is_awaited = async || {
        let state = dashboard.state().await;
        let locks = state["database"]["locks"].as_array().unwrap();
        let awaited = locks.iter().find(|lock| lock["granted"] == false);
        awaited.is_some_and(|lock| {
            lock["session"].as_str().unwrap().starts_with("replica-") && lock["waits_for"][0].is_number()
        })
    };
    wait_until("the purchase's wait is shown", is_awaited).await;
    let page = dashboard.text("/state").await;
    assert!(page.contains("waits for ") && page.contains("side connection"), "{page}");
    side.commit().await;
    assert_eq!(order.await.unwrap().unwrap().status(), 200);

    wait_until("the order is shown", async || {
        let state = dashboard.state().await;
        state["database"]["book"]["orders"] == 1 && state["traffic"]["purchases"] == 1
    })
    .await;
    project.run(&["down"]).await;
}

#[tokio::test]
async fn the_state_says_when_the_database_is_away_and_when_it_is_back() {
    let (project, dashboard) = with_dashboard(Project::new()).await;
    assert_eq!(dashboard.state().await["database_away"], Value::Null);

    let outage = Request::StopDatabase { seconds: 2, how: DatabaseStop::Immediate };
    let (done, ()) = tokio::join!(project.ask(&outage), async {
        let is_away = async || dashboard.state().await["database_away"].is_string();
        wait_until("the state says that the database is away", is_away).await;
        let page = dashboard.text("/state").await;
        assert!(page.contains("The database does not answer") && page.contains("replica-2"), "{page}");
    });

    assert_eq!(done, Event::Done);
    wait_until("the state shows the book again", async || {
        dashboard.state().await["database"]["book"].is_object()
    })
    .await;
    project.run(&["down"]).await;
}

#[tokio::test]
async fn the_state_says_when_the_replicas_do_not_run_what_the_files_say() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;

    fs::create_dir_all(project.path().join("crates/web/src")).unwrap();
    fs::write(project.path().join("crates/web/src/main.rs"), "").unwrap();

    let expected = json!({ "is": "not_built", "sources": ["crates/web/src/main.rs"] });
    wait_until("the new file is named", async || dashboard.state().await["build"] == expected).await;
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_check_is_started_and_followed_on_its_page() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;

    assert_eq!(dashboard.post("/verdict", "do=start").await.status(), 200);
    let page = dashboard.until("/verdict", "one click</th>").await;
    assert!(page.contains("The checks that are finished") && page.contains("value=\"stop\""), "{page}");
    assert_eq!(dashboard.post("/verdict", "do=start").await.status(), 409);

    let page = dashboard.until("/verdict", "All checks.").await;
    assert!(page.contains("no constraint</th>"), "{page}");
    let failed = page.split("</tr>").filter(|row| row.contains("FAILED</b>"));
    let mut links = failed.filter_map(|row| row.split("href=\"").nth(1)?.split('"').next());
    if page.contains("OVERSOLD in ") {
        for expected in ["one click", "crowd of 50", "crowd of 200"] {
            let timeline = dashboard.text(links.next().expect(expected)).await;
            assert!(timeline.contains("<svg"), "{expected}: {timeline}");
        }
    } else {
        assert!(page.contains("FIXED: "), "{page}");
    }
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_check_that_is_stopped_takes_everything_back_also_when_the_lab_stops() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;
    let playing = "one click: round 1";

    dashboard.post("/verdict", "do=start").await;
    dashboard.until("/verdict", playing).await;
    dashboard.post("/verdict", "do=stop").await;
    dashboard.until("/verdict", "Stopped before the verdict.").await;
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");

    dashboard.post("/verdict", "do=start").await;
    dashboard.until("/verdict", playing).await;
    assert!(project.run(&["down"]).await.success);
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
}

#[tokio::test]
async fn a_race_is_started_and_its_figures_are_shown_and_the_shop_is_as_before() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;
    assert!(dashboard.text("/race").await.contains("id=\"strategy-skip_locked\""));

    let form = "strategy=unlocked&strategy=nowait&copies=5&buyers=40&rounds=2&window=5&do=start";
    assert_eq!(dashboard.post("/race", form).await.status(), 200);
    dashboard.until("/race", " of 4</label>").await;
    let page = dashboard.until("/race", "Table of race 1").await;

    assert!(page.contains("oversold as it must"), "{page}");
    let nowait = page.split("<tr>").find(|row| row.contains(">nowait</th>")).unwrap();
    assert!(
        nowait.contains("<td>ok</td><td class=\"number\">10</td><td class=\"number\">0</td>"),
        "{nowait}"
    );
    dashboard.until("/race", "Table of race 1").await;
    wait_until("the race has ended", async || !dashboard.text("/race").await.contains("id=\"stop\"")).await;
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_race_that_is_stopped_gives_the_replicas_their_own_payment_back() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;
    let form = "strategy=nowait&copies=5&buyers=40&rounds=20&window=33&do=start";

    dashboard.post("/race", form).await;
    dashboard.until("/race", " of 20</label>").await;
    assert!(pay_in(&project, 33).await);
    dashboard.post("/race", "do=stop").await;
    dashboard.until("/race", "Stopped before the end.").await;

    assert!(!pay_in(&project, 33).await);
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_slow_motion_that_is_stopped_takes_everything_back_also_when_the_lab_stops() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;

    dashboard.post("/slow-motion", "do=start").await;
    dashboard.until("/slow-motion", "Purchase B ").await;
    assert!(pay_in(&project, 3000).await);
    dashboard.post("/slow-motion", "do=stop").await;
    dashboard.until("/slow-motion", "Stopped before the end.").await;
    assert!(!pay_in(&project, 3000).await);
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");

    dashboard.post("/slow-motion", "do=start").await;
    dashboard.until("/slow-motion", "Purchase B ").await;
    assert!(project.run(&["down"]).await.success);
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
}

/// Whether each replica's payment takes so long, in milliseconds.
async fn pay_in(project: &Project, window_ms: u16) -> bool {
    let expected = format!("RACE_WINDOW_MS={window_ms}");
    let pids = replica_pids(&project.status().await);
    assert_eq!(pids.len(), 2);
    pids.iter().all(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        environment.split(|byte| *byte == 0).any(|variable| variable == expected.as_bytes())
    })
}

#[tokio::test]
async fn all_schedules_are_explored_and_each_is_stepped_through_and_swapped_and_the_shop_is_as_before() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;

    let answer = dashboard.post("/explore", "strategy=pessimistic&copies=1&do=start").await;
    assert_eq!(answer.status(), 200);
    let page = dashboard.until("/explore", "All 36 schedules were played. 0 broke a rule.").await;
    assert!(page.contains("In 24, a purchase waited"), "{page}");
    assert_eq!(page.matches("href=\"/explore/1/").count(), 36, "{page}");

    // A has read the book's row, and B asks for it.
    let waits = dashboard.text("/explore/1/AABBAAAB?step=4").await;
    assert!(waits.contains("<li>B waits for A</li>") && waits.contains("aria-current=\"step\""), "{waits}");
    assert!(waits.contains("<td>awaited</td>") && waits.contains("<svg"), "{waits}");
    let over = dashboard.text("/explore/1/AABBAAAB").await;
    assert!(over.contains("waited for A, then: saw quantity 0"), "{over}");
    assert!(over.contains("Orders: 1, stock: 0, answers: 200 and 400"), "{over}");

    // B goes on before A, and reads first.
    let swapped = dashboard.text("/explore/1/ABABAAAB/swap/3").await;
    assert!(swapped.contains("Swapped: ") && swapped.contains("/explore/1/ABBA"), "{swapped}");
    let missing =
        dashboard.client.get(format!("{}/explore/1/ABBB/swap/3", dashboard.url)).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn a_person_is_the_scheduler_and_says_first_what_will_be_read() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;
    let steps = async |way: &str, steps: &str| {
        dashboard.text(&format!("/scheduler?strategy={way}&copies=1&steps={steps}")).await
    };

    let asked = steps("unlocked", "AAB").await;
    assert!(asked.contains("What will B read?") && asked.contains("value=\"AABB\""), "{asked}");
    let wrong = steps("unlocked", "AABB&guess=0").await;
    assert!(wrong.contains("You said of B: it reads 0. But it reads 1."), "{wrong}");
    let done = steps("unlocked", "AABBAAABBB").await;
    assert!(done.contains("You have made the shop sell 2 copies, and there were 1."), "{done}");

    let right = steps("pessimistic", "AABB&guess=waits").await;
    assert!(
        right.contains("You said of B: it waits. So it is.") && !right.contains("Let B go on"),
        "{right}"
    );
    let refused = steps("pessimistic", "AABBB").await;
    assert!(refused.contains("B can&#39;t go on there"), "{refused}");
    assert_eq!(what_is_there(&database).await, "1 product, stock 1, 0 orders");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn the_benchmark_shows_the_last_report_and_says_what_it_can_not_show() {
    let database = TestDatabase::create().await;
    let (project, dashboard) = with_dashboard(Project::on(&database)).await;
    let file = project.path().join(BENCH_REPORT);
    assert!(dashboard.text("/benchmark").await.contains("Nothing was measured in this folder yet."));

    keep(&project, &serde_json::to_string(&example()).unwrap());
    let page = dashboard.text("/benchmark").await;
    assert!(page.contains("<th scope=\"row\">batched</th>") && page.contains("<svg"), "{page}");

    keep(&project, "{}");
    assert!(dashboard.text("/benchmark").await.contains("it is no report of make bench"));
    keep(&project, &" ".repeat(4 * 1024 * 1024 + 1));
    assert!(dashboard.text("/benchmark").await.contains("it is too large for a report"));
    fs::write(&file, [0xff, 0xfe]).unwrap();
    assert!(dashboard.text("/benchmark").await.contains("did not contain valid UTF-8"));
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    assert!(dashboard.text("/benchmark").await.contains("report.json: it is a link"));
    project.run(&["down"]).await;
}
