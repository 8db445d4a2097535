use crate::{Outcome, say};
use futures_util::StreamExt;
use serde_json::json;
use spiffe::{BundleSource, JwtSource, JwtSvid, WorkloadApiClient, X509Source, X509Svid};
use std::collections::HashSet;
use std::time::Duration;

pub async fn source(endpoint: &str) -> Outcome<X509Source> {
    let source = X509Source::builder().endpoint(endpoint).initial_sync_timeout(Duration::from_secs(20));
    Ok(source.build().await?)
}

pub async fn fetch_x509(endpoint: &str) -> Outcome {
    let client = WorkloadApiClient::connect_to(endpoint).await?;
    for svid in client.fetch_all_x509_svids().await? {
        say(json!({
            "spiffeId": svid.spiffe_id().to_string(), "hint": svid.hint(), "serial": serial(&svid)?,
            "chain": svid.cert_chain().len(),
        }));
    }
    let bundles = client.fetch_x509_bundles().await?;
    say(json!({ "bundles": bundles.iter().count() }));
    Ok(())
}

pub async fn x509_source(endpoint: &str) -> Outcome {
    let source = source(endpoint).await?;
    let svid = source.svid()?;
    let bundle = source.bundle_for_trust_domain(svid.spiffe_id().trust_domain())?.ok_or("no bundle")?;
    say(json!({ "spiffeId": svid.spiffe_id().to_string(), "authorities": bundle.authorities().len() }));
    source.shutdown().await;
    Ok(())
}

pub async fn fetch_jwt(endpoint: &str, audiences: &[&str]) -> Outcome {
    let client = WorkloadApiClient::connect_to(endpoint).await?;
    let svid = client.fetch_jwt_svid(audiences, None).await?;
    let valid = client.validate_jwt_token(audiences[0], svid.token()).await?;
    say(json!({
        "spiffeId": svid.spiffe_id().to_string(), "audience": svid.audience(), "valid": valid.spiffe_id().to_string(),
    }));
    let refused = client.validate_jwt_token("another", svid.token()).await.err().map(|error| error.to_string());
    say(json!({ "refused": refused }));
    Ok(())
}

pub async fn jwt_source(endpoint: &str, audience: &str) -> Outcome {
    let source = JwtSource::builder().endpoint(endpoint).initial_sync_timeout(Duration::from_secs(20)).build().await?;
    let fetched = source.fetch_jwt_svid(&[audience]).await?;
    let verified = JwtSvid::parse_and_validate(fetched.token(), source.bundle_set()?.as_ref(), &[audience])?;
    let refused = JwtSvid::parse_and_validate(fetched.token(), source.bundle_set()?.as_ref(), &["another"]).is_err();
    say(json!({ "spiffeId": verified.spiffe_id().to_string(), "anotherRefused": refused }));
    source.shutdown().await;
    Ok(())
}

pub async fn watch_x509(endpoint: &str, count: usize) -> Outcome {
    let client = WorkloadApiClient::connect_to(endpoint).await?;
    let mut contexts = client.stream_x509_contexts().await?;
    let mut seen = HashSet::new();
    while seen.len() < count {
        let context = contexts.next().await.ok_or("the stream ended")??;
        let serial = serial(context.default_svid().ok_or("no SVID")?)?;
        seen.insert(serial.clone());
        say(json!({ "serial": serial, "seen": seen.len() }));
    }
    Ok(())
}

fn serial(svid: &X509Svid) -> Outcome<String> {
    let leaf = svid.cert_chain().first().ok_or("an empty chain")?;
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf.as_bytes())?;
    Ok(certificate.raw_serial_as_string())
}
