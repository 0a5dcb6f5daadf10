//! Between two requests, a client moves on to another replica, and does not notice.

use super::*;

#[tokio::test]
async fn a_client_does_not_notice_that_its_replica_went_between_two_requests() {
    let puppet = Puppet::new().await;
    let (mut client, mut replica) = puppet.connect().await;
    for is_killed in [false, true, false] {
        send(&mut client, REQUEST, &mut replica).await;
        send(&mut replica, ANSWER.as_bytes(), &mut client).await;

        if is_killed {
            kill(replica)
        } else {
            drop(replica)
        }

        client.write_all(REQUEST).await.unwrap();
        replica = accept(&puppet.listener).await;
        assert_received(REQUEST, &mut replica).await;
        send(&mut replica, ANSWER.as_bytes(), &mut client).await;
    }
}

#[tokio::test]
async fn what_a_replica_says_on_a_connection_without_a_request_reaches_nobody() {
    let puppet = Puppet::new().await;
    let (mut client, mut replica) = puppet.connect().await;

    replica.write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert_end(&mut replica).await;

    client.write_all(REQUEST).await.unwrap();
    let mut replica = accept(&puppet.listener).await;
    assert_received(REQUEST, &mut replica).await;
    send(&mut replica, ANSWER.as_bytes(), &mut client).await;
}

#[tokio::test]
async fn clients_of_a_replaced_replica_move_on_with_their_next_request_and_not_before_their_answer() {
    for is_frozen in [false, true] {
        let (old, new) =
            (TcpListener::bind(ANY_PORT).await.unwrap(), TcpListener::bind(ANY_PORT).await.unwrap());
        let (old_address, new_address) = (old.local_addr().unwrap(), new.local_addr().unwrap());
        let (address, gateway) = start_gateway(&[Some(old_address), None]);
        let (mut idle, mut waiting) =
            (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let mut idle_at_old = accept(&old).await;
        let mut waiting_at_old = accept(&old).await;
        send(&mut idle, REQUEST, &mut idle_at_old).await;
        send(&mut idle_at_old, ANSWER.as_bytes(), &mut idle).await;
        send(&mut waiting, REQUEST, &mut waiting_at_old).await;

        gateway.set_replica(1, Some(new_address));
        if is_frozen {
            gateway.set_frozen(0, true)
        } else {
            gateway.set_replica(0, None)
        }

        // The idle client has left already. The other client is still owed its answer.
        assert_end(&mut idle_at_old).await;
        send(&mut waiting_at_old, ANSWER.as_bytes(), &mut waiting).await;
        assert_end(&mut waiting_at_old).await;
        for client in [&mut idle, &mut waiting] {
            client.write_all(REQUEST).await.unwrap();
            let mut replica = accept(&new).await;
            assert_received(REQUEST, &mut replica).await;
            send(&mut replica, ANSWER.as_bytes(), client).await;
        }
    }
}

#[tokio::test]
async fn a_request_whose_every_replica_closes_at_once_is_sent_away_and_may_come_again() {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let (address, _gateway) = start_gateway(&[Some(listener.local_addr().unwrap())]);
    let closing = tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let mut client = TcpStream::connect(address).await.unwrap();

    // Some bytes may have reached the replica before its end was known.
    client.write_all(REQUEST).await.unwrap();
    let answer = rest(&mut client).await;

    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    closing.abort();
}
