//! The page Verdict: a check is started, followed, stopped.

use chrono::{TimeDelta, Utc};
use flash_sale_dashboard::engine_messages::{EngineMessage, FinishedCheck, JudgedShop, Progress, SeenCheck};
use flash_sale_dashboard::{Heard, Order};
use flash_sale_diagnosis::{Diagnosis, Mistake, Shown, WhyItHolds};

use crate::fake_rooms::FakeRooms;
use crate::fixtures::{as_shipped, fixed};
use crate::served::Served;

#[tokio::test]
async fn checks_are_shown_as_they_come_in_and_then_the_verdict() {
    let (rooms, dashboard) = started().await;
    rooms.engine.tell(progress("one click: round 11 of 50")).await;
    dashboard.until("/verdict", "one click: round 11 of 50").await;

    rooms.engine.tell(message(EngineMessage::Check(finished("one click", false)))).await;
    let page = dashboard.until("/verdict", "<b class=\"bad\">FAILED</b>").await;
    assert!(page.contains("The checks that are finished") && page.contains("2 &#60;orders&#62;"), "{page}");

    rooms.engine.tell(message(EngineMessage::Judged(judged("oversold")))).await;
    rooms.engine.end();
    let page = dashboard.until("/verdict", "Check the shop").await;
    assert!(page.contains("OVERSOLD in 49 of 50 rounds") && page.contains("<span class=\"good\">ok</span>"));
    assert!(
        page.contains("<p id=\"mistake\">Both read the same.</p>") && !page.contains("id=\"why\""),
        "{page}"
    );
    assert!(page.contains("<li>A: <code>SELECT</code> saw quantity 1</li>"), "{page}");
    assert!(page.contains("All checks.") && !page.contains("The last lines of its output"), "{page}");
}

#[tokio::test]
async fn a_failed_check_leads_to_the_click_that_oversold_in_its_time() {
    let rooms = FakeRooms::default();
    let mut transactions = fixed();
    // The click that was right is the older one.
    for transaction in &mut transactions {
        transaction.began_at -= TimeDelta::hours(1);
        transaction.ended_at = transaction.ended_at.map(|ended| ended - TimeDelta::hours(1));
    }
    transactions.extend(as_shipped());
    let oversold = transactions.iter().find(|it| it.number == 7).unwrap().began_at;
    let right = transactions.iter().find(|it| it.number == 11).unwrap().began_at;
    let dashboard = Served::with(transactions, &rooms);
    assert_eq!(dashboard.post("/verdict", "do=start").await.status(), 303);

    let around = |began_at, name: &str| FinishedCheck {
        from: began_at - TimeDelta::milliseconds(1),
        to: began_at + TimeDelta::milliseconds(50),
        ..finished(name, false)
    };
    let both = FinishedCheck {
        from: oversold.min(right) - TimeDelta::milliseconds(1),
        to: oversold.max(right) + TimeDelta::milliseconds(50),
        ..finished("both", false)
    };
    for check in [around(oversold, "one click"), around(right, "crowd"), both, finished("much later", false)]
    {
        rooms.engine.tell(message(EngineMessage::Check(check))).await;
    }

    let page = dashboard.until("/verdict", "much later").await;
    let row = |name: &str| page.split("</tr>").find(|row| row.contains(&format!(">{name}</th>"))).unwrap();
    assert!(row("one click").contains("href=\"/clicks/7\""), "{page}");
    assert!(row("crowd").contains("href=\"/clicks/11\""), "{page}");
    assert!(row("both").contains("href=\"/clicks/7\""), "the oversold one comes first: {page}");
    assert!(!row("much later").contains("href"), "no click fits its time: {page}");
}

#[tokio::test]
async fn one_runs_at_a_time_and_stop_stops_it() {
    let (rooms, dashboard) = started().await;
    let second = dashboard.post("/verdict", "do=start").await;
    assert_eq!(second.status(), 409);
    assert!(second.text().await.unwrap().contains("A check runs already"));
    assert_eq!(*rooms.engine.orders.lock().unwrap(), [Order::Check]);

    assert_eq!(dashboard.post("/verdict", "do=stop").await.status(), 303);
    assert!(rooms.engine.is_told_to_stop());
    let page = dashboard.text("/verdict").await;
    assert!(page.contains("disabled>Stopping…") && !page.contains("Check the shop"), "{page}");
    rooms.engine.end();
    dashboard.until("/verdict", "Stopped before the verdict.").await;
    assert_eq!(dashboard.post("/verdict", "do=start").await.status(), 303);
}

#[tokio::test]
async fn without_a_verdict_the_reason_is_shown_and_the_output_kept_short() {
    let (rooms, dashboard) = started().await;
    for line in 0..100 {
        rooms.engine.tell(Heard::Line(format!("line {line} \u{1b}[31m<i>"))).await;
    }
    rooms.engine.tell(Heard::Line("error: the shop is not running".to_owned())).await;
    rooms.engine.end();

    let page = dashboard.until("/verdict", "No verdict: the shop is not running").await;

    assert!(page.contains("line 99 [31m&#60;i&#62;") && !page.contains("line 60 "), "{page}");
}

#[tokio::test]
async fn an_engine_that_can_not_start_says_why() {
    let rooms = FakeRooms::default();
    *rooms.engine.refusal.lock().unwrap() = Some("no more processes".to_owned());
    let dashboard = Served::with(Vec::new(), &rooms);

    let answer = dashboard.post("/verdict", "do=start").await;

    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("no more processes"));
    assert!(dashboard.text("/verdict").await.contains("No check was started from here yet."));
}

#[tokio::test]
async fn the_last_ten_checks_have_pages_of_their_own() {
    let rooms = FakeRooms::default();
    let dashboard = Served::with(Vec::new(), &rooms);
    for number in 1..=12 {
        assert_eq!(dashboard.post("/verdict", "do=start").await.status(), 303);
        rooms.engine.tell(message(EngineMessage::Judged(judged("fixed")))).await;
        rooms.engine.end();
        dashboard.until("/verdict", "Check the shop").await;
        assert!(dashboard.text("/verdict").await.contains(&format!("Check {number} ")));
    }

    assert_eq!(dashboard.get("/verdict/2").await.status(), 404);
    let page = dashboard.text("/verdict/3").await;
    assert!(page.contains("<h2 id=\"check\">Check 3 ") && page.contains("href=\"/verdict/12\""), "{page}");
    assert!(page.contains("closing good") && !page.contains("id=\"mistake\""), "{page}");
    assert!(page.contains("<p id=\"why\">It waited. It holds a row.</p>"), "{page}");
}

#[tokio::test]
async fn no_other_site_can_start_or_stop_a_check() {
    let (rooms, dashboard) = started().await;

    let foreign =
        dashboard.request("POST", "/verdict").header("origin", "http://evil.example").body("do=stop");

    assert_eq!(foreign.send().await.unwrap().status(), 403);
    assert!(!rooms.engine.is_told_to_stop());
    let long = dashboard.request("POST", "/verdict").body("x".repeat(10_000)).send().await.unwrap();
    assert_eq!(long.status(), 413);
}

async fn started() -> (FakeRooms, Served) {
    let rooms = FakeRooms::default();
    let dashboard = Served::with(Vec::new(), &rooms);
    assert_eq!(dashboard.post("/verdict", "do=start").await.status(), 303);
    (rooms, dashboard)
}

fn message(message: EngineMessage) -> Heard {
    Heard::Message(Box::new(message))
}

fn progress(doing: &str) -> Heard {
    message(EngineMessage::Progress(Progress { doing: doing.to_owned(), done: 0, all: 0 }))
}

fn check(name: &str, passed: bool) -> SeenCheck {
    let meaning = (!passed).then(|| "Sold twice.".to_owned());
    SeenCheck { name: name.to_owned(), passed, seen: "2 <orders>".to_owned(), meaning, place: None }
}

fn finished(name: &str, passed: bool) -> FinishedCheck {
    FinishedCheck { check: check(name, passed), from: Utc::now(), to: Utc::now() }
}

fn judged(verdict: &str) -> JudgedShop {
    let statement =
        Shown { purchase: "A".to_owned(), label: "SELECT".to_owned(), result: "saw quantity 1".to_owned() };
    let mistake = Diagnosis {
        name: Mistake::NoLock,
        sentence: "Both read the same.".to_owned(),
        statements: vec![statement],
    };
    let why = WhyItHolds { sentence: "It waited.".to_owned(), holds: Some("It holds a row.".to_owned()) };
    let is_fixed = verdict == "fixed";
    JudgedShop {
        verdict: verdict.to_owned(),
        closing: "OVERSOLD in 49 of 50 rounds".to_owned(),
        checks: vec![check("one click", false), check("retry", true)],
        mistake: (!is_fixed).then_some(mistake),
        why: is_fixed.then_some(why),
        costs: Vec::new(),
    }
}
