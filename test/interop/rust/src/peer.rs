//! One end of connections, told by lines on its standard input:
//!
//!     dial tls ADDRESS WANTED ENDPOINT   connects, and says who the server took it for
//!     serve tls WANTED ENDPOINT          waits for one client, and says where
//!     outcome                            what came of that client

use crate::{Outcome, say, workload};
use serde_json::{Value, json};
use spiffe::X509Source;
use spiffe_rustls::{authorizer, mtls_client, mtls_server};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, stdin};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[derive(Default)]
struct Sources(HashMap<String, X509Source>);

impl Sources {
    async fn of(&mut self, endpoint: &str) -> Outcome<X509Source> {
        if !self.0.contains_key(endpoint) {
            self.0.insert(endpoint.into(), workload::source(endpoint).await?);
        }
        Ok(self.0[endpoint].clone())
    }
}

pub async fn run() -> Outcome {
    let mut sources = Sources::default();
    let mut outcome: Option<oneshot::Receiver<Value>> = None;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["dial", "tls", address, wanted, endpoint] => {
                say(verdict(dialled(sources.of(endpoint).await?, address, wanted).await));
            }
            ["serve", "tls", wanted, endpoint] => {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                say(json!({ "address": listener.local_addr()?.to_string() }));
                let (told, receiver) = oneshot::channel();
                outcome = Some(receiver);
                let (source, wanted) = (sources.of(endpoint).await?, (*wanted).to_owned());
                tokio::spawn(async move { told.send(verdict(accepted(listener, source, &wanted).await)) });
            }
            ["outcome"] => say(outcome.take().ok_or("nobody was served")?.await?),
            words => return Err(format!("what is {words:?}?").into()),
        }
    }
    Ok(())
}

fn verdict(peer: Outcome<String>) -> Value {
    match peer {
        Ok(peer) => json!({ "peer": peer }),
        Err(refused) => json!({ "refused": refused.to_string() }),
    }
}

async fn dialled(source: X509Source, address: &str, wanted: &str) -> Outcome<String> {
    let config = mtls_client(source).authorize(authorizer::exact([wanted])?).build()?;
    let name = ServerName::try_from("localhost")?;
    let tcp = TcpStream::connect(address).await?;
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let mut told = String::new();
    tls.read_to_string(&mut told).await?;
    Ok(told)
}

async fn accepted(listener: TcpListener, source: X509Source, wanted: &str) -> Outcome<String> {
    let config = mtls_server(source).authorize(authorizer::exact([wanted])?).build()?;
    let (tcp, _) = listener.accept().await?;
    let mut tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
    let peer = {
        let (_, session) = tls.get_ref();
        let chain = session.peer_certificates().ok_or("no certificate")?;
        spiffe_id_of(chain.first().ok_or("an empty chain")?)?
    };
    tls.write_all(peer.as_bytes()).await?;
    tls.shutdown().await?;
    Ok(peer)
}

fn spiffe_id_of(der: &[u8]) -> Outcome<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der)?;
    let names = certificate.subject_alternative_name()?.ok_or("no names")?;
    for name in &names.value.general_names {
        if let x509_parser::extensions::GeneralName::URI(uri) = name {
            return Ok((*uri).to_owned());
        }
    }
    Err("no URI".into())
}
