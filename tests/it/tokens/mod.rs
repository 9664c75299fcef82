//! The token endpoint, the tokens, and what accepts them.

mod authenticate;
mod bearer;
mod discovery;
mod exchange;
mod folded;
mod forge;
mod introspect;
mod jwt_attacks;
mod limits;
mod log;
mod networks;
mod overtaken;
mod refusals;
mod registry;
mod revoke;
mod revoked;
mod scope;
mod stock_client;
mod unavailable;
mod verify;
mod whoami;
mod wire;
