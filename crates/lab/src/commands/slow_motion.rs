//! `lab slow-motion`: clicks once while payments take seconds. The dashboard's page of the same name runs it, and draws
//! what the wiretap sees. It prints messages for the dashboard.

use anyhow::{Context, anyhow};
use chrono::Utc;
use flash_sale_dashboard::engine_messages::{EngineMessage, Progress, SentClick};
use flash_sale_testbed::shop_settings::ShopVariables;

use super::engine_message::tell;
use crate::control::loan::Loan;
use crate::shop::client::Shop;
use crate::shop::database::ShopDatabase;
use crate::shop::target::Target;
use crate::signals::EndSignals;

/// The longest payment that the shop has.
const PAYMENT_MS: &str = "3000";
/// The checkout client asks again in the middle of the payment, so that both purchases are seen alone and together.
const RETRY_AFTER_MS: &str = "1500";

/// Resets the shop and clicks. However it ends, the replicas run with their own settings again. The orders of the click
/// stay.
///
/// # Errors
/// When the shop can't be asked, a check, race or drill runs, or the person says stop.
pub async fn slow_motion() -> anyhow::Result<()> {
    let target = Target::of_running_lab().await?;
    let shop = Shop::at(&target.url).await?;
    let database = ShopDatabase::connect(&target.database_url).await?;
    let _turn = database.take_turn("click again").await?;
    say("The replicas are replaced by ones with a slow payment.");
    let slow = [("RACE_WINDOW_MS", PAYMENT_MS), ("RETRY_AFTER_MS", RETRY_AFTER_MS)];
    let slow = slow.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let loan = Loan::take(ShopVariables::from(slow)).await?;

    let mut signals = EndSignals::listen()?;
    let clicked = tokio::select! {
        clicked = reset_and_click(&shop) => clicked,
        _ = signals.next() => Err(anyhow!("stopped before the end")),
    };
    say("The replicas get their own settings back.");
    let given_back = loan.give_back().await.context("the replicas keep the slow payment");
    clicked.and(given_back)
}

async fn reset_and_click(shop: &Shop) -> anyhow::Result<()> {
    shop.reset().await?;
    say("The click is on its way.");
    tell(&EngineMessage::Clicked(SentClick { at: Utc::now() }));
    shop.click().await?;
    Ok(())
}

fn say(doing: &str) {
    tell(&EngineMessage::Progress(Progress { doing: doing.to_owned(), done: 0, all: 0 }));
}
