//! A broker: asks the endpoint for what another process is entitled to.

use crate::{Outcome, say, workload};
use hyper_util::rt::TokioIo;
use serde_json::json;
use spiffe::broker_api::SecurityHeader;
use spiffe::broker_api::pb::spiffe::broker::api_client::ApiClient;
use spiffe::broker_api::pb::spiffe::broker::{
    FetchJwtsvidRequest, SubscribeToX509svidRequest, WorkloadPidReference, WorkloadReference,
};
use spiffe_rustls::{authorizer, mtls_client};
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::Endpoint;
use tower::service_fn;

/// `endpoint` serves the broker's own identity, `socket` is the path of the broker endpoint, which must be `server`.
pub async fn ask(endpoint: &str, socket: &str, server: &str, pid: i32, audience: &str) -> Outcome {
    let source = workload::source(endpoint).await?;
    let config = mtls_client(source)
        .authorize(authorizer::exact([server])?)
        .with_alpn_protocols([b"h2".as_slice()])
        .build()?;
    let tls = TlsConnector::from(Arc::new(config));
    let path = socket.to_owned();
    let connector = service_fn(move |_| {
        let (tls, path) = (tls.clone(), path.clone());
        async move {
            let stream = UnixStream::connect(path).await?;
            let name = ServerName::try_from("broker").map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(TokioIo::new(tls.connect(name, stream).await?))
        }
    });
    let channel = Endpoint::from_static("http://broker").connect_with_connector(connector).await?;
    let mut client = ApiClient::with_interceptor(channel, SecurityHeader::new());
    let reference = || Some(WorkloadReference::from(WorkloadPidReference { pid }));

    let request = SubscribeToX509svidRequest { reference: reference() };
    let mut updates = client.subscribe_to_x509svid(request).await?.into_inner();
    let first = updates.message().await?.ok_or("the stream ended")?;
    for svid in &first.svids {
        say(json!({ "spiffeId": svid.spiffe_id, "hasKey": !svid.x509_svid_key.is_empty(), "hasBundle": !svid.bundle.is_empty() }));
    }
    let request = FetchJwtsvidRequest { reference: reference(), audience: vec![audience.into()], spiffe_id: String::new() };
    for svid in client.fetch_jwtsvid(request).await?.into_inner().svids {
        say(json!({ "jwtOf": svid.spiffe_id }));
    }
    let nobody = Some(WorkloadReference::from(WorkloadPidReference { pid: i32::MAX }));
    let refused = client.subscribe_to_x509svid(SubscribeToX509svidRequest { reference: nobody }).await;
    let refused = match refused {
        Ok(answer) => answer.into_inner().message().await.err(),
        Err(status) => Some(status),
    };
    say(json!({ "nobody": refused.map(|status| format!("{:?}", status.code())) }));
    Ok(())
}
