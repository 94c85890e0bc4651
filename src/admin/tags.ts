/** The groups of operations in the OpenAPI document, in reading order. */
export const tags = {
  Clients: 'Registrations of clients, with the metadata of RFC 7591.',
  'Resource servers': 'Registrations of the APIs that accept access tokens.',
  Secrets: 'Secrets of clients and resource servers: add, expire and remove them one by one.',
  Pairings: 'Pairs of clients, where one may name the other as an additional holder.',
  'Trusted issuers':
    'Issuers whose tokens are accepted here, and rules that map tokens to clients or subjects.',
  'Authorization servers': 'Other servers for which clients get identity assertion grants.',
  Configuration: 'All registrations as one configuration.',
  Tokens: 'Revocation of access tokens.',
  'Admin tokens': 'Named tokens of this API, each with its scopes.',
  'Audit trail': 'What happened, and who did it.',
  'Keys and secrets': 'The keys of this server: signing keys, DPoP nonces, encryption at rest.',
  Metrics: 'Metrics of this server.',
  Document: 'The OpenAPI document.',
} as const;
