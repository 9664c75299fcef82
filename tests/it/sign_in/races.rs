//! What happens at the same time: a sign-in that was checked before a change is not one that begins after it.

use std::cell::{Cell, RefCell};

use serde_json::json;

use super::{BEHIND_A_PROXY, Browser, OTHER, PASSWORD, WRONG};
use crate::harness::changes::{DEACTIVATE_USER, REACTIVATE_USER, UPDATE_USER};
use crate::harness::{Grants, Server};

const ADA: &str = "ada@example.com";
const CHANGE: &str = "mutation ($input: ChangePasswordInput!) { change: changePassword(input: $input) {
    changed userErrors { message } } }";

/// Signs in again and again, four at a time and each time from another network, until the change has been answered: some
/// passwords are checked before the change and let in after it. Gives what the change answered, and those who got in.
async fn during<T>(server: &Server, change: impl Future<Output = T>) -> (T, Vec<Browser>) {
    let (done, next, inside) = (Cell::new(false), Cell::new(0), RefCell::new(Vec::new()));
    let keep_entering = || async {
        while !done.get() {
            next.set(next.get() + 1);
            let network = std::net::Ipv4Addr::from_bits(0x0a00_0001 + (next.get() << 8));
            let answer = server.enter_from(&network.to_string(), ADA, PASSWORD).await;
            if answer.status.as_u16() == 204 {
                inside.borrow_mut().push(server.browser_of(&answer));
            }
        }
    };
    let change = async {
        let answer = change.await;
        done.set(true);
        answer
    };
    let (answer, ..) =
        tokio::join!(change, keep_entering(), keep_entering(), keep_entering(), keep_entering());
    (answer, inside.into_inner())
}

#[tokio::test]
async fn a_sign_in_with_a_password_that_is_replaced_meanwhile_does_not_last() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let input = json!({ "id": ada.public_id, "password": OTHER });
    let (_, inside) = during(&server, boss.caller.done(UPDATE_USER, input)).await;
    for browser in inside {
        assert!(!browser.is_in().await, "the old password opened a sign-in that outlives it");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_sign_in_of_a_user_who_is_stopped_meanwhile_does_not_come_back() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.member(ADA, &["member"]).await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    let input = json!({ "id": ada.public_id });
    let (_, inside) = during(&server, boss.caller.done(DEACTIVATE_USER, input.clone())).await;
    boss.caller.done(REACTIVATE_USER, input).await;
    for browser in inside {
        assert!(!browser.is_in().await, "a sign-in from before came back");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_sign_in_with_a_password_that_its_owner_changes_meanwhile_does_not_last() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let ada = server.member(ADA, &["member"]).await;
    let key = server.generous_key(&ada, "own", Grants::Inherit).await;
    let caller = server.sign_in(&key).await;
    let input = json!({ "currentPassword": PASSWORD, "newPassword": OTHER });
    let (change, inside) = during(&server, caller.change(CHANGE, input)).await;
    assert_eq!(change["changed"], true);
    for browser in inside {
        assert!(!browser.is_in().await, "the old password opened a sign-in that outlives it");
    }
    server.stop().await;
}

#[tokio::test]
async fn of_two_changes_of_one_password_at_once_one_succeeds() {
    let server = Server::start().await;
    server.member(ADA, &["member"]).await;
    let (one, other) = (server.browser(ADA).await, server.browser(ADA).await);
    let to = |new: &str| json!({ "currentPassword": PASSWORD, "newPassword": new });
    let (first, second) = tokio::join!(one.change(CHANGE, to(OTHER)), other.change(CHANGE, to(WRONG)));
    let (won, lost, password) =
        if first["changed"] == true { (&one, second, OTHER) } else { (&other, first, WRONG) };
    assert_eq!(
        lost,
        json!({ "changed": false, "userErrors": [{ "message": "The current password is wrong." }] })
    );
    assert!(won.is_in().await, "whoever changed the password is signed out");
    assert_eq!(server.sessions().await.len(), 1);
    server.browser_of(&server.enter(ADA, password).await);
    server.stop().await;
}
