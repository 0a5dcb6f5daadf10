//! What the thread that answers requests has of its own: the pool of connections, the services on it, and what runs
//! beside the requests. The runtime that opens a connection hears of each answer on it. If that were another thread's,
//! each answer of PostgreSQL would wake up two threads, one after the other, while a buyer holds the row.

use std::cell::OnceCell;

use actix_web::{rt, web};
use flash_sale_core::database;
use flash_sale_services::{OrderService, PaymentProvider, ShopService, StrategyService, TillDatabase};
use futures::FutureExt;

use crate::settings::Settings;
use crate::{old_keys, outage_log, sweeper};

thread_local! {
    /// An application is made for each address that is listened on, and they share this.
    static OF_THIS_THREAD: OnceCell<Worker> = const { OnceCell::new() };
}

/// The services, as the application shares them.
#[derive(Clone)]
pub struct Worker {
    /// Sells as the exercise does.
    pub orders: web::Data<OrderService>,
    /// Sells by a strategy.
    pub strategies: web::Data<StrategyService>,
    /// Everything but selling.
    pub shop: web::Data<ShopService>,
}

impl Worker {
    /// The worker of this thread. The first call opens its pool, and starts what runs beside the requests. The caller
    /// has checked that `settings` name a database.
    pub fn of_this_thread(settings: &Settings) -> Self {
        OF_THIS_THREAD.with(|own| own.get_or_init(|| Self::start(settings)).clone())
    }

    fn start(settings: &Settings) -> Self {
        let opened = database::connect(&settings.database).now_or_never();
        let database = opened.expect("the pool is there at once").expect("the settings name a database");
        let payment = PaymentProvider::new(settings.race_window).declining(settings.payment_fails_percent);
        let name = &settings.replica_name;
        let till = TillDatabase::new(database.clone());
        let strategies = StrategyService::new(database.clone(), payment.clone(), name, settings.hold_lasts);
        let worker = Self {
            orders: web::Data::new(OrderService::new(till, payment, name)),
            strategies: web::Data::new(strategies),
            shop: web::Data::new(ShopService::new(database.clone())),
        };
        rt::spawn(outage_log::watch((**worker.shop).clone(), database));
        rt::spawn(old_keys::forget(worker.strategies.clone()));
        rt::spawn(sweeper::sweep(worker.strategies.clone(), settings.between_sweeps));
        worker
    }
}
