//! `lab explore` on the real shop: counts, replays, errors, and what is left of it.

use std::fmt::Write as _;

use flash_sale_lab::project::EXPLORER;

use super::*;

/// Strategies whose code the learner doesn't edit, with schedules, oversold, waited, and the exit code.
const NEVER_CHANGE: [(&str, u64, u64, u64, i32); 2] =
    [("unlocked", 182, 170, 70, 1), ("pessimistic", 36, 0, 24, 0)];

#[tokio::test]
async fn every_order_of_two_purchases_is_played_and_a_right_one_is_proven() {
    let project = Project::new();
    for (strategy, schedules, oversold, waited, code) in NEVER_CHANGE {
        let explored = project.run(&["explore", "--json", "--strategy", strategy]).await;

        assert_eq!(explored.code, code, "{}", explored.errors);
        let found: Value = serde_json::from_str(&explored.output).unwrap();
        assert_eq!(counts(&found), [schedules, oversold, waited], "{strategy}: {found:#}");
        assert_eq!(found["complete"], true, "{strategy}");
        for none in ["lost_sales", "unconserved", "dishonest", "failed", "deadlocked", "not_repeated"] {
            assert_eq!(found[none], 0, "{strategy}: {none}");
        }
        let answers: u64 = found["answers"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(answers, schedules, "{strategy}");
        let certificate = &found["certificate"];
        assert_eq!(certificate["claim"], if code == 0 { "proven" } else { "refuted" }, "{strategy}");
        assert_eq!(certificate["isolation"], "read committed");
        assert_eq!(certificate["shop_sha256"].as_str().unwrap().len(), 64);
        assert_eq!(found["counterexample"].is_null(), code == 0, "{strategy}");
    }
    assert!(project.path().join(EXPLORER).is_dir());
    project.run(&["clean"]).await;
    assert!(!project.path().join(EXPLORER).exists());
}

fn counts(found: &Value) -> [u64; 3] {
    ["schedules", "oversold", "waited"].map(|name| found[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_schedule_that_is_played_again_shows_the_same_reads() {
    let project = Project::new();
    let explored = project.run(&["explore", "--strategy", "unlocked"]).await;
    assert!(explored.output.starts_with("OVERSOLD in 170 of 182 schedules"), "{}", explored.output);
    let command = r#"make explore ARGS="--replay AAABBBBBAA --strategy unlocked""#;
    assert!(explored.output.contains(command), "{}", explored.output);

    let replay = ["explore", "--replay", "AAABBBBBAA", "--strategy", "unlocked"];
    let (first, second) = (project.run(&replay).await, project.run(&replay).await);

    assert_eq!(first.code, 1, "{}", first.errors);
    assert_eq!(without_ids(&first.output), without_ids(&second.output));
    let columns = rows(&first.output);
    assert_eq!(columns, rows(&explored.output));
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../DETONADO.md");
    let guide = rows(&fs::read_to_string(guide).unwrap());
    assert!(guide.contains(&columns), "{guide} does not show\n{columns}");
    assert_eq!(columns.lines().count(), 10);
    assert_eq!(columns.matches("saw quantity 1").count(), 2, "{columns}");
    assert!(columns.ends_with("10 COMMIT -1 2\n"), "{columns}");

    let waited = project.run(&["explore", "--replay", "AAAABBAB", "--strategy", "pessimistic"]).await;
    assert_eq!(waited.code, 0, "{}", waited.errors);
    for said in ["waits for A", "goes on: saw quantity 0", "1 order, stock 0, answers 200 400"] {
        assert!(waited.output.contains(said), "{said}: {}", waited.output);
    }
}

/// The rows of the steps, without ids and blanks.
fn rows(output: &str) -> String {
    let mut rows = String::new();
    for line in without_ids(output).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_step = line.starts_with("   ") && words.first().is_some_and(|word| word.parse::<u8>().is_ok());
        if is_step {
            writeln!(rows, "{}", words.join(" ")).unwrap();
        }
    }
    rows
}

fn without_ids(output: &str) -> String {
    let is_id = |word: &&str| word.len() == 8 && word.chars().all(|letter| letter.is_ascii_hexdigit());
    output.split(' ').filter(|word| !is_id(word)).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn other_requests_are_explored_and_named_in_the_certificate() {
    let project = Project::new();
    for (arguments, said) in [
        (
            ["--same-key", "--strategy", "pessimistic"].as_slice(),
            "2 requests with one Idempotency-Key for 1 copy with the strategy pessimistic break no rule,",
        ),
        (
            &["--with", "reset", "--strategy", "atomic_update"],
            "1 purchase of 1 copy with the strategy atomic_update and a reset break no rule,",
        ),
        (
            &["--with", "page", "--strategy", "atomic_update"],
            "1 purchase of 1 copy with the strategy atomic_update and a request for the page break no rule,",
        ),
    ] {
        let explored = project.run(&[&["explore", "--json"], arguments].concat()).await;

        assert_eq!(explored.code, 0, "{arguments:?}: {} {}", explored.output, explored.errors);
        let found: Value = serde_json::from_str(&explored.output).unwrap();
        let certificate = &found["certificate"];
        assert_eq!(certificate["claim"], "proven", "{found:#}");
        assert_eq!(certificate["requests"].as_array().unwrap().len(), 2, "{found:#}");
        assert!(certificate["sentence"].as_str().unwrap().starts_with(said), "{found:#}");
    }
    // The orders that a reset deletes are gone in the columns, too.
    let replay = ["explore", "--replay", "AAAABBBABBB", "--strategy", "pessimistic", "--with", "reset"];
    let replayed = project.run(&replay).await;
    let columns = rows(&replayed.output);
    assert!(replayed.output.contains("B: reset (replica-2)"), "{}", replayed.output);
    assert!(replayed.output.contains("waits for A"), "{}", replayed.output);
    assert!(columns.ends_with("11 COMMIT 1 0\n"), "{columns}");
    let again = r#"make explore ARGS="--replay AAAABBBABBB --strategy pessimistic --with reset""#;
    assert!(replayed.output.contains(again), "{}", replayed.output);
}

#[tokio::test]
async fn a_trouble_comes_at_each_statement_and_the_printed_command_brings_it_again() {
    let project = Project::new();
    let explored =
        project.run(&["explore", "--strategy", "pessimistic", "--trouble", "connection-breaks"]).await;

    assert_eq!(explored.code, 0, "{}", explored.errors);
    let output = explored.output.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "NO RULE BROKEN in all 27 schedules",
        "A's connection to PostgreSQL breaks 19",
        "and at whichever statement A's connection to PostgreSQL breaks",
        "time limits that run out, and troubles of another kind",
    ] {
        assert!(output.contains(said), "{said}: {output}");
    }

    // Nobody may lose a sale because A's connection breaks at COMMIT, and B must get the copy.
    let replay = ["explore", "--strategy", "pessimistic", "--trouble", "connection-breaks", "--at", "5"];
    let played = project.run(&[&replay[..], &["--replay", "AAAAA"]].concat()).await;
    assert_eq!(played.code, 0, "{}", played.errors);
    assert!(played.output.contains("1 order, stock 0, answers 503 200"), "{}", played.output);
    assert_eq!(played.output.matches("A's connection to PostgreSQL breaks").count(), 1, "{}", played.output);
    let again = "--replay AAAAABBBBB --strategy pessimistic --trouble connection-breaks --at 5";
    assert!(played.output.contains(&format!(r#"make explore ARGS="{again}""#)), "{}", played.output);

    let as_json = [&replay[..], &["--json", "--key"]].concat();
    let found: Value = serde_json::from_str(&project.run(&as_json).await.output).unwrap();
    let certificate = &found["certificate"];
    assert_eq!(certificate["trouble"], "connection_breaks", "{found:#}");
    assert_eq!(certificate["trouble_at"], 5, "{found:#}");
    assert!(
        certificate["sentence"]
            .as_str()
            .unwrap()
            .contains("(A has an Idempotency-Key) break no rule when at statement 5 A's"),
        "{found:#}"
    );
}

#[tokio::test]
async fn a_trouble_that_befalls_nobody_is_no_proof() {
    let project = Project::new();
    let explored =
        project.run(&["explore", "--strategy", "unlocked", "--trouble", "client-leaves", "--at", "6"]).await;

    // A sends five statements when it buys.
    assert_eq!(explored.code, 2, "{}", explored.output);
    assert!(explored.errors.contains("A never sends so many statements"), "{}", explored.errors);
}

#[tokio::test]
async fn what_cannot_be_explored_is_said_in_words_and_as_json() {
    let project = Project::new();
    for (arguments, reason) in [
        (["--strategy", "nope"].as_slice(), "unlocked, pessimistic"),
        (&["--replay", "ABX"], "ABX has others"),
        (&["--replay", "AAAAAAAAAAAAAA"], "A can't go on there"),
        (&["--buyers", "4"], "invalid value '4'"),
        (&["--same-key", "--with", "reset"], "'--same-key' cannot be used with '--with <REQUEST>'"),
        (&["--same-key", "--key"], "'--same-key' cannot be used with '--key'"),
        (&["--with", "page", "--buyers", "3"], "'--with <REQUEST>' cannot be used with '--buyers <BUYERS>'"),
        (&["--trouble", "rain"], "invalid value 'rain'"),
        (&["--at", "2"], "required arguments were not provided"),
        (&["--trouble", "answer-lost", "--replay", "AB"], "so --trouble needs --at"),
        (&["--with", "reset", "--strategy", "skip_locked"], "skip_locked sells a product of its own"),
        (
            &["--replay", "13AB", "--strategy", "stock_buckets", "--stock=2"],
            "13: chance has a digit from 1 to 2",
        ),
        (&["--replay", "1AB", "--strategy", "nowait"], "chance has no part in this schedule"),
    ] {
        let explored = project.run(&[&["explore", "--json"], arguments].concat()).await;

        assert_eq!(explored.code, 2, "{arguments:?}: {}", explored.errors);
        assert!(explored.errors.contains(reason), "{arguments:?}: {}", explored.errors);
        let said: Value = serde_json::from_str(&explored.output).unwrap();
        assert!(said["error"].as_str().unwrap().contains(reason), "{said}");
    }
    fs::write(project.path().join("crates/shop.rs"), "mistake").unwrap();
    let explored = project.run(&["explore", "--json"]).await;
    assert_eq!(explored.code, 2);
    assert!(explored.output.contains("the shop doesn't compile"), "{}", explored.output);
}

#[tokio::test]
async fn a_shop_that_runs_is_not_disturbed_and_a_second_exploration_waits() {
    let project = Project::new();
    project.up().await;
    let (status, shop) = (project.status().await, project.url("/api/products"));
    let product = reqwest::get(&shop).await.unwrap().text().await.unwrap();

    let explore = ["explore", "--json", "--strategy", "pessimistic"];
    let (one, other) = tokio::join!(project.run(&explore), project.run(&explore));

    for explored in [one, other] {
        assert_eq!(explored.code, 0, "{}", explored.errors);
        assert_eq!(counts(&serde_json::from_str(&explored.output).unwrap()), [36, 0, 24]);
    }
    assert_eq!(all_pids(&project.status().await), all_pids(&status));
    assert_eq!(reqwest::get(&shop).await.unwrap().text().await.unwrap(), product);
    let orders = reqwest::get(project.url("/api/orders")).await.unwrap().text().await.unwrap();
    assert_eq!(orders, "[]");
    project.run(&["down"]).await;
}

#[tokio::test]
async fn an_exploration_that_is_interrupted_leaves_no_process() {
    let project = Project::new();
    for signal in [Signal::INT, Signal::TERM] {
        let explore =
            project.command(&["explore", "--json", "--buyers", "3", "--no-reduction"]).spawn().unwrap();
        wait_until("replicas and PostgreSQL run", async || working_in(&project, EXPLORER) > 3).await;

        kill_process(Pid::from_raw(explore.id().unwrap() as i32).unwrap(), signal).unwrap();
        let explored = Outcome::of(explore.wait_with_output().await.unwrap());

        assert_eq!(explored.code, 2, "{}", explored.errors);
        assert!(explored.output.contains("stopped before the end"), "{}", explored.output);
        wait_until("all has ended", async || working_in(&project, EXPLORER) == 0).await;
    }
}

/// How many processes work in this folder of the project.
pub fn working_in(project: &Project, folder: &str) -> usize {
    let folder = project.path().canonicalize().unwrap().join(folder);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let works_there = |path: std::path::PathBuf| {
        fs::read_link(path.join("cwd")).is_ok_and(|place| place.starts_with(&folder))
    };
    processes.filter(|process| works_there(process.path())).count()
}
