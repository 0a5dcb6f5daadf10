//! Makes the code of all variants: a method for each, in a module below the exercise. `create_order` runs the one whose
//! name stands in a file beside the program, so that all of them are built once.

use std::fmt::Write;

use anyhow::Context;

use crate::catalogue::Variant;
use crate::exercise::Exercise;
use crate::words::Words;

/// The module of the variants, beside [`crate::exercise::FILE`].
pub const MODULE: &str = "crates/services/src/order_service/league.rs";
/// The queries that no repository has.
pub const QUERIES: &str = "crates/services/src/order_service/league/queries.rs";
/// The text of [`QUERIES`].
pub const QUERIES_CODE: &str = include_str!("../exercise/queries.rs");
/// The file beside the shop's program that holds the name of the variant that runs.
pub const CHOICE: &str = "league-variant";

const HEAD: &str = r#"//! The variants of the league. This file is generated, and each replica runs one of them.

mod queries;

use flash_sale_core::order;
use flash_sale_repositories::{OrderRepository, ProductRepository, StockRepository};
use sea_orm::IsolationLevel;
use sea_orm::sea_query::{LockBehavior, LockType};
use uuid::Uuid;

use super::OrderService;
use crate::error::ServiceError;

/// The name in the file beside the program, read once.
fn chosen() -> &'static str {
    static CHOSEN: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let program = std::env::current_exe().expect("the program has a path");
        std::fs::read_to_string(program.with_file_name("league-variant")).expect("a variant is chosen").trim().to_owned()
    });
    &CHOSEN
}
"#;

/// The exercise's file with `create_order` handing over to the chosen variant.
pub fn exercise_file(exercise: &Exercise) -> String {
    let Exercise { before, after, .. } = exercise;
    format!(
        "{}        league::create_order(self, product_id).await{after}\n#[allow(warnings)]\nmod league;\n",
        before.replacen("//! Selling a copy.", "#![allow(unused)]\n//! Selling a copy.", 1)
    )
}

/// The code of [`MODULE`].
///
/// # Errors
/// When a word is unknown: the error names the variant.
pub fn module(words: &Words, variants: &[Variant]) -> anyhow::Result<String> {
    let mut code = HEAD.to_owned();
    let mut arms = String::new();
    for variant in variants {
        let method = variant.name.replace('-', "_");
        let _ = writeln!(arms, "        \"{}\" => Box::pin(till.{method}(product_id)).await,", variant.name);
        let body = methods(words, variant, &method);
        code.push_str(&body.with_context(|| format!("the variant {}", variant.name))?);
    }
    let signature = "till: &OrderService, product_id: Uuid) -> Result<order::Model, ServiceError>";
    let unknown = "other => unreachable!(\"there is no variant {other}\"),";
    let _ = write!(
        code,
        "\npub(super) async fn create_order({signature} {{\n    match chosen() {{\n{arms}        {unknown}\n    }}\n}}\n"
    );
    Ok(code)
}

/// The method of a variant, and the method of one attempt if it makes several.
fn methods(words: &Words, variant: &Variant, method: &str) -> anyhow::Result<String> {
    let retry = variant.words.first().and_then(|word| words.retry(word));
    let mut body = String::new();
    for word in variant.words.iter().skip(usize::from(retry.is_some())).map(String::as_str).chain(["answer"])
    {
        let _ = writeln!(body, "        // {word}\n{}", words.code(word)?);
    }
    let signature = |name: &str| {
        format!("    async fn {name}(&self, product_id: Uuid) -> Result<order::Model, ServiceError> {{\n")
    };
    let mut code = format!("\n// {}\nimpl OrderService {{\n", variant.said);
    match retry {
        None => code.push_str(&format!("{}{body}    }}\n}}\n", signature(method))),
        Some(pattern) => {
            let attempt = format!("{method}_attempt");
            let _ = write!(
                code,
                "{}        let mut attempt = 0;\n        loop {{\n            match self.{attempt}(product_id).await {{\n                \
                 {pattern} => {{}}\n                settled => return settled,\n            }}\n            \
                 tokio::time::sleep(std::time::Duration::from_millis(10 << attempt.min(5))).await;\n            \
                 attempt += 1;\n        }}\n    }}\n\n{}{body}    }}\n}}\n",
                signature(method),
                signature(&attempt)
            );
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::variants;
    use crate::exercise::tests::shipped;
    use crate::words::{RETRIES, WORDS};

    #[test]
    fn each_variant_has_a_method_with_its_words_in_order_and_is_called() {
        let words = Words::of(&Exercise::cut(&shipped()).unwrap(), WORDS, RETRIES).unwrap();
        let variants = variants().unwrap();

        let code = module(&words, &variants).unwrap();

        assert_eq!(code.matches("Box::pin(").count(), variants.len());
        let fix = code.split("async fn guide_fix(").nth(1).unwrap().split("\n}\n").next().unwrap();
        let at = |text: &str| fix.find(text).unwrap();
        assert!(at("begin()") < at("get_by_id_for_update") && at("get_by_id_for_update") < at("OutOfStock"));
        assert!(at("decrement_quantity") < at("commit()") && at("commit()") < at("Ok(order)"));
        assert!(code.contains("self.serializable_with_retry_attempt(product_id)"));
    }

    #[test]
    fn the_exercise_hands_over_and_keeps_all_else() {
        let exercise = Exercise::cut(&shipped()).unwrap();

        let file = exercise_file(&exercise);

        assert!(file.contains("league::create_order(self, product_id).await\n    }\n}\n"), "{file}");
        assert!(!file.contains("get_for_purchase") && file.contains("pub fn new("), "{file}");
    }

    #[test]
    fn a_variant_with_an_unknown_word_is_named() {
        let words = Words::of(&Exercise::cut(&shipped()).unwrap(), WORDS, RETRIES).unwrap();
        let mut variant = variants().unwrap().remove(0);
        variant.words.push("nonsense".to_owned());

        let error = format!("{:#}", module(&words, &[variant]).unwrap_err());

        assert!(error.contains("shipped") && error.contains("nonsense"), "{error}");
    }
}
