/** The groups of operations in the OpenAPI document, in the order of reading. */
export const tags = {
  Clients: 'Registrations of clients, with the metadata of RFC 7591.',
  'Resource servers': 'Registrations of the APIs that accept access tokens.',
  Secrets: 'The secrets of clients and resource servers: add, end and remove them one by one.',
  Pairings: 'Pairs of clients of which one may name the other as an additional holder.',
  'Trusted issuers': 'Issuers whose tokens count here, and the rules for whom they stand.',
  'Authorization servers': 'Other servers, for which clients get identity assertion grants.',
  Configuration: 'Registrations of all kinds at once: what should exist, and what does.',
  Tokens: 'Revocation of access tokens.',
  'Admin tokens': 'Named tokens of this API, each with its scopes.',
  'Audit trail': 'What happened, and who did it.',
  'Keys and secrets': 'The keys of this server: signing keys, DPoP nonces, encryption at rest.',
  Metrics: 'What this server measures of itself.',
  Document: 'The OpenAPI document.',
} as const;
