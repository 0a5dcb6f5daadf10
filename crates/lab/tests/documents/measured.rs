//! The measured run of the walkthrough: its table has a row for each strategy that can be measured, and its charts are
//! there, whole, and name the strategies, too.

use flash_sale_lab::bench::guide_part::{BEGIN, END};
use flash_sale_lab::guide::{GUIDE, links};

use crate::pictures::problems;
use crate::read;

#[test]
fn the_measured_table_has_a_row_with_figures_for_each_strategy() {
    let (guide, names) = (read(GUIDE), strategies());
    assert!(names.len() > 10, "{names:?}");

    assert_eq!(not_measured(part(&guide), &names), Vec::<String>::new());
    for name in &names {
        let without = part(&guide).replace(&format!("| `{name}` |"), "| |");
        assert_eq!(
            not_measured(&without, &names),
            [name.as_str()],
            "nobody would notice that {name} is gone"
        );
    }
}

#[test]
fn the_measured_charts_are_whole_and_bring_all_that_they_need() {
    let guide = read(GUIDE);
    let charts: Vec<&str> = links(part(&guide)).collect();

    assert!(charts.len() >= 2 && charts.iter().all(|chart| chart.starts_with("docs/bench/")), "{charts:?}");
    for path in charts {
        let chart = read(path);
        assert_eq!(problems(&chart), Vec::<String>::new(), "{path}");
        assert!(chart.contains("@media (prefers-color-scheme: dark)"), "{path}");
        for name in strategies() {
            assert!(chart.contains(&format!(">{name}</text>")), "{path}: {name}");
        }
    }
}

fn part(guide: &str) -> &str {
    let (_, rest) = guide.split_once(BEGIN).expect("the walkthrough has the line before the part");
    rest.split_once(END).expect("the walkthrough has the line behind the part").0
}

/// The strategies without a row that says how much they sold.
fn not_measured(part: &str, names: &[String]) -> Vec<String> {
    let is_measured = |name: &String| {
        let rows = part.lines().filter_map(|line| line.strip_prefix(&format!("| `{name}` | ")));
        let sold = rows.map(|row| row.split(" | ").next().unwrap().parse::<u64>().unwrap_or_default());
        matches!(sold.collect::<Vec<_>>()[..], [sold] if sold > 0)
    };
    names.iter().filter(|name| !is_measured(name)).cloned().collect()
}

/// The exercise, and each strategy of the shop as its requests name it.
fn strategies() -> Vec<String> {
    let code = read("crates/services/src/strategy.rs");
    let all = code.split("pub const ALL").nth(1).unwrap().split("];").next().unwrap();
    let names = all.split("Self::").skip(1).map(|rest| rest.split(',').next().unwrap());
    let in_json = |name: &str| {
        let words = name.chars().map(|letter| {
            if letter.is_uppercase() { format!("_{}", letter.to_lowercase()) } else { letter.to_string() }
        });
        words.collect::<String>().trim_start_matches('_').to_owned()
    };
    std::iter::once("exercise".to_owned()).chain(names.map(in_json)).collect()
}
