//! flash-sale-web
