/**
 * The revision that the Broker API is built by: of SPIFFE_Broker_API.md and SPIFFE_Broker_Endpoint.md in the repository of the SPIFFE
 * standards. Both are Incubating: a later revision may mean something else.
 */
export const BROKER_API_REVISION = '665a28f3253ecdce59f26f3ef29c0d6408b37c3d'
