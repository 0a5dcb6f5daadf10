//! The pages, by what is in them.

use crate::fixtures::{as_shipped, crowd, fixed, odd};
use crate::served::Served;
use flash_sale_wiretap::trace::Transaction;

fn both() -> Vec<Transaction> {
    fixed().into_iter().chain(as_shipped()).collect()
}

#[tokio::test]
async fn the_timeline_shows_the_newest_click_with_its_statements_and_the_one_before() {
    let page = Served::start(both()).text("/").await;

    assert!(page.find("id=\"click-11\"").unwrap() < page.find("id=\"click-7\"").unwrap(), "newest first");
    assert!(page.contains("id=\"s-12-2\"") && page.contains("href=\"#s-12-2\""), "{page}");
    assert!(page.contains("href=\"/clicks/7#s-7-2\"") && !page.contains("id=\"s-7-2\""), "{page}");
    assert!(page.contains("href=\"/clicks/7/beside/11\""), "{page}");
    assert!(
        page.contains("B waited 54.2 ms for A.") && page.contains("Both reads saw quantity 1."),
        "{page}"
    );
    assert!(!page.contains("s-5-1"), "a page's reads are left out");
}

#[tokio::test]
async fn each_bar_leads_to_a_row_that_is_there_and_no_id_is_there_twice() {
    let dashboard = Served::start(odd().into_iter().chain(both()).chain(crowd(200)).collect());

    for path in ["/clicks/7", "/clicks/11", "/clicks/31", "/clicks/100", "/clicks/7/beside/11", "/"] {
        let page = dashboard.text(path).await;
        let targets = page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        let mut count = 0;
        for target in targets {
            assert!(page.contains(&format!(" id=\"{target}\"")), "{path}: {target}");
            count += 1;
        }
        assert!(count > 3, "{path}: {count}");
        let mut ids: Vec<&str> =
            page.split(" id=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "{path}");
    }
}

#[tokio::test]
async fn a_click_is_found_by_each_of_its_transactions_and_a_page_too() {
    let dashboard = Served::start(both());

    for path in ["/clicks/7", "/clicks/8"] {
        assert!(dashboard.text(path).await.contains("id=\"click-7\""), "{path}");
    }
    assert!(dashboard.text("/clicks/5").await.contains("READ ONLY"), "a page's reads have a page, too");
}

#[tokio::test]
async fn a_row_has_the_sql_as_it_was_sent_its_parameters_and_its_answer() {
    let page = Served::start(odd()).text("/clicks/31").await;

    for expected in
        ["INSERT INTO orders (product_id, served_by) VALUES ($1, $2)", "violates check constraint"]
    {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    assert!(page.contains("&#60;b&#62;me") && !page.contains("<b>me</b>"), "{page}");
}

#[tokio::test]
async fn two_clicks_stand_side_by_side() {
    let dashboard = Served::start(both());

    let page = dashboard.text("/clicks/7/beside/11").await;
    assert!(page.contains("id=\"click-7\"") && page.contains("id=\"click-11\""), "{page}");

    let page = dashboard.text("/clicks/7/beside/8").await;
    assert_eq!(page.matches("<section class=\"click\"").count(), 1, "a click beside itself is shown once");
}

#[tokio::test]
async fn an_empty_timeline_says_what_to_do() {
    let dashboard = Served::start(Vec::new());

    let page = dashboard.text("/").await;
    assert!(
        page.contains("No purchase has been seen yet.") && page.contains("http://localhost:3000/"),
        "{page}"
    );
    assert!(dashboard.text("/screen").await.contains("No purchase has been seen yet"));
}

#[tokio::test]
async fn a_click_that_is_not_kept_is_a_page_for_a_person_and_a_problem_for_a_program() {
    let dashboard = Served::start(both());

    let page = dashboard.get("/clicks/999").await;
    assert_eq!(page.status(), 404);
    assert!(page.text().await.unwrap().contains("There is no click 999"));

    let problem = dashboard.request("GET", "/clicks/999").send().await.unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    assert_eq!(dashboard.get("/clicks/seven").await.status(), 422);
    assert_eq!(dashboard.get("/nothing").await.status(), 404);
}

#[tokio::test]
async fn no_page_has_an_inline_script_or_style_or_anything_of_another_host() {
    let dashboard = Served::start(both());

    for path in [
        "/",
        "/?which=all",
        "/clicks/7",
        "/clicks/7/beside/11",
        "/screen",
        "/clicks/7/screen",
        "/state",
        "/verdict",
        "/race",
        "/benchmark",
        "/slow-motion",
        "/slow-motion/screen",
    ] {
        let page = dashboard.text(path).await;
        assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/static/").count(), "{path}");
        assert!(
            !page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick"),
            "{path}"
        );
        let sources = page.split(" src=\"").skip(1).chain(page.split("<link ").skip(1));
        for source in sources {
            let source = source.split('>').next().unwrap();
            assert!(!source.contains("//"), "{path}: {source}");
            let file = source.split('"').find(|part| part.starts_with('/')).unwrap();
            assert_eq!(dashboard.get(file).await.status(), 200, "{path}: {file}");
        }
    }
}
