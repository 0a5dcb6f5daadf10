//! flash-sale-services
