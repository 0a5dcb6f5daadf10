//! Another local user does everything that such a user can do, one thing after the other. Meanwhile the shop sells, and
//! its replicas are replaced. The test prints a table. It runs in networks, shared memory and a /dev/shm of its own, so
//! that the attacks take nothing away from others on this machine.

use std::time::{Duration, Instant};

use flash_sale_core::environment;
use futures::future::join_all;
use reqwest::Client;
use tokio::time::{interval, sleep_until};

use super::attacker::{Attack, Attacker, Loot, Order, TOLD, why_not};
use super::*;

/// The test that runs again within the new namespaces.
const INSIDE: &str = "siege::inside";
const NAMESPACES: &str = r#"
ip link set lo up && mount -t tmpfs -o mode=1777,size=64m none /dev/shm || { echo "can't prepare"; exit 0; }
exec "$0" "$@"
"#;
/// The time between two purchases of a buyer.
const PACE: Duration = Duration::from_millis(200);
/// The pause after an attack, so that its effects are not counted for the next one.
const REST: Duration = Duration::from_secs(1);

/// `SIEGE_SECONDS`: how long all attacks take together.
#[tokio::test]
#[ignore = "half a minute, or as long as SIEGE_SECONDS says"]
async fn another_user_does_everything_for_a_while_and_the_shop_sells() {
    if let Some(why) = why_not().await {
        return eprintln!("{why}");
    }
    let mut command = Command::new("unshare");
    command.args(["--net", "--ipc", "--mount", "/bin/sh", "-c", NAMESPACES]);
    command.arg(std::env::current_exe().unwrap()).args(["--ignored", "--exact", INSIDE, "--nocapture"]);

    // The /dev/shm of the namespace hides the folder in memory that `make test` gives us.
    command.env_remove("TMPDIR");
    command.env(TOLD, "true").stdin(Stdio::null()).stdout(Stdio::piped());
    let Ok(output) = command.output().await else {
        return eprintln!("skipped: there is no unshare (util-linux)");
    };

    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}");
    if text.is_empty() || text.contains("can't prepare") {
        return eprintln!("skipped: only root can have namespaces of its own, and that needs ip (iproute2)");
    }
    assert!(output.status.success() && text.contains("AllPorts"), "see above");
}

#[tokio::test]
#[ignore = "a helper of the test above"]
async fn inside() {
    if !environment::flag(TOLD, false).unwrap() {
        return;
    }
    let seconds = environment::whole_number("SIEGE_SECONDS", "seconds", 26, 1..=86_400_u32).unwrap();
    let slice = (f64::from(seconds) / Attack::ALL.len() as f64 - REST.as_secs_f64()).max(1.0);
    let project = Project::new();
    project.up().await;
    let stock = "UPDATE products SET quantity = 1000000 RETURNING id";
    let shop =
        Besieged { product: project.run(&["psql", "-Atqc", stock]).await.output.trim().to_owned(), project };

    let mut rows = Vec::new();
    println!("\n{}", Row::HEADINGS);
    for attack in Attack::ALL {
        let row = shop.suffer(attack, slice).await;
        println!("{}", row.line());
        rows.push(row);
    }

    assert!(shop.project.answers().await);
    for row in rows {
        row.judge();
    }
    shop.project.run(&["down"]).await;
}

/// The result of an attack.
struct Row {
    attack: Attack,
    loot: Loot,
    /// The purchases of a buyer who opens a connection for each purchase, and of a buyer who keeps one connection.
    buyers: [Purchases; 2],
    replaced: Result<Duration, String>,
}

#[derive(Default)]
struct Purchases {
    made: u32,
    failed: u32,
    longest: Duration,
    last_failure: String,
}

/// The shop, and the product that is bought.
struct Besieged {
    project: Project,
    product: String,
}

impl Besieged {
    /// Two buyers buy, the replicas are replaced, and the attacker does this one thing.
    async fn suffer(&self, attack: Attack, seconds: f64) -> Row {
        let project = &self.project;
        let order = Order::of(project, attack, seconds).await;
        let until = tokio::time::Instant::now() + Duration::from_secs_f64(seconds);
        let parts = if attack == Attack::AllPorts { 2 } else { 1 };
        let (kept, new) = (client(1), client(0));
        // The connection is opened before, as those of customers who are there already.
        assert!(kept.get(project.url("/health")).send().await.is_ok(), "before {attack:?}");
        let attackers = join_all((0..parts).map(|part| Attacker::start_part(&order, part))).await;

        let replace = async {
            sleep_until(until - Duration::from_secs_f64(seconds / 2.0)).await;
            let start = Instant::now();
            let outcome = project.run(&["restart"]).await;
            if outcome.success { Ok(start.elapsed()) } else { Err(outcome.errors) }
        };
        let attackers = join_all(attackers.into_iter().map(Attacker::end));
        let (from_new, from_kept, replaced, loots) =
            tokio::join!(self.buy(&new, until), self.buy(&kept, until), replace, attackers);
        tokio::time::sleep(REST).await;
        wait_until("the shop sells again", async || self.purchase(&new).await.is_ok()).await;

        let mut loot = Loot::default();
        for part in loots {
            loot.tries += part.tries;
            loot.held += part.held;
            loot.got.extend(part.got);
        }
        Row { attack, loot, buyers: [from_new, from_kept], replaced }
    }

    async fn buy(&self, client: &Client, until: tokio::time::Instant) -> Purchases {
        let mut purchases = Purchases::default();
        let mut pace = interval(PACE);
        while tokio::time::Instant::now() < until {
            pace.tick().await;
            let start = Instant::now();
            match self.purchase(client).await {
                Ok(()) => purchases.made += 1,
                Err(why) => (purchases.failed, purchases.last_failure) = (purchases.failed + 1, why),
            }
            purchases.longest = purchases.longest.max(start.elapsed());
        }
        purchases
    }

    async fn purchase(&self, client: &Client) -> Result<(), String> {
        let answer = async {
            let order = serde_json::json!({ "product_id": self.product });
            let answer = client.post(self.project.url("/api/orders")).json(&order).send().await?;
            Ok((answer.status().as_u16(), answer.text().await?))
        };
        match answer.await.map_err(|error: reqwest::Error| format!("{error:?}"))? {
            (200, _) => Ok(()),
            (status, text) => Err(format!("{status}: {text}")),
        }
    }
}

fn client(kept: usize) -> Client {
    Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(kept)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

impl Row {
    const HEADINGS: &str = "attack               tries    held  got  bought  failed  longest   kept: bought  failed  longest  replicas replaced";

    fn line(&self) -> String {
        let [new, kept] = &self.buyers;
        let replaced = match &self.replaced {
            Ok(time) => format!("in {:.1} s", time.as_secs_f64()),
            Err(why) => format!("no: {}", why.lines().next().unwrap_or_default()),
        };
        let mut line = format!(
            "{:<17} {:>8} {:>7} {:>4} {:>7} {:>7} {:>5} ms {:>14} {:>7} {:>5} ms  {replaced}",
            format!("{:?}", self.attack),
            self.loot.tries,
            self.loot.held,
            self.loot.got.len(),
            new.made,
            new.failed,
            new.longest.as_millis(),
            kept.made,
            kept.failed,
            kept.longest.as_millis(),
        );
        for buyer in self.buyers.iter().filter(|buyer| buyer.failed > 0) {
            line.push_str(&format!("\n    {}", buyer.last_failure.chars().take(300).collect::<String>()));
        }
        line
    }

    /// Judges the attack. One thing is not ours to prevent: an attacker who has all ports leaves none for a new
    /// replica, or for a new connection of anybody.
    fn judge(&self) {
        let attack = self.attack;
        assert!(self.loot.got.is_empty(), "{attack:?}: {:#?}", self.loot.got);
        assert!(self.loot.tries > 0, "{attack:?}: {:?}", self.loot);
        let [_, kept] = &self.buyers;
        assert!(kept.made > 0, "{attack:?}: {}", kept.last_failure);
        if attack == Attack::AllPorts {
            return;
        }
        for buyer in &self.buyers {
            assert!(buyer.failed == 0, "{attack:?}: {}", buyer.last_failure);
        }
        assert!(self.replaced.is_ok(), "{attack:?}: {:?}", self.replaced);
    }
}
