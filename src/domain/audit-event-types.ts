/** Members of an event besides `id`, `at`, `type` and `actor`, and what each means. */
export const auditMembers = {
  client_id: 'the client concerned',
  audience: 'the resource server concerned, by its audience',
  jkt: 'thumbprint of the key concerned (RFC 7638), or of its certificate (SHA-256)',
  jti: 'the token concerned',
  evidence: 'how possession was shown',
  reason: 'why it was refused ([errors](../errors.md))',
  token_expires_at: 'when the token expires, in seconds since the epoch',
  registration_id: 'the registration of the client, which no later client of that name shares',
  resource_server_id: 'the registration of the resource server',
  source: '`jti` of the token that was exchanged',
  actor_source: '`jti` of the actor token, of a delegation',
  client_authority: 'the trusted issuer, or its rule, by which the client was authenticated',
  grant_authority: 'the trusted issuer, or its rule, on whose word the token was granted',
  detail: 'further members, by type',
} as const;
type Member = keyof typeof auditMembers;

/** The description of one type of event. */
interface EventType {
  /** When it is recorded. */
  readonly when: string;
  /** Members that it may have. */
  readonly has: readonly Member[];
}

const ofClient = ['client_id', 'detail'] as const;
const ofServer = ['client_id', 'audience', 'detail'] as const;
const detail = ['detail'] as const;

function registered<Kind extends string>(
  kind: Kind,
  what: string,
  has: readonly Member[],
): Record<`${Kind}_${'created' | 'changed' | 'deleted'}`, EventType> {
  const ends = { created: 'registered', changed: 'changed', deleted: 'deleted' };
  return Object.fromEntries(
    Object.entries(ends).map(([end, verb]) => [
      `${kind}_${end}`,
      { when: `${what} was ${verb}`, has },
    ]),
  ) as Record<`${Kind}_${'created' | 'changed' | 'deleted'}`, EventType>;
}

/** Every type of event, by chapter of docs/reference/audit-events.md. */
export const auditEventChapters = {
  Tokens: {
    token_issued: {
      when: 'a token was issued',
      has: [
        'client_id',
        'audience',
        'jkt',
        'jti',
        'evidence',
        'token_expires_at',
        'registration_id',
        'resource_server_id',
        'source',
        'actor_source',
        'client_authority',
        'grant_authority',
        'detail',
      ],
    },
    id_jag_issued: {
      when: 'an identity assertion grant was given for another authorization server',
      has: [
        'client_id',
        'audience',
        'jkt',
        'jti',
        'evidence',
        'token_expires_at',
        'registration_id',
        'client_authority',
        'grant_authority',
      ],
    },
    token_refused: {
      when: 'a client that had authenticated, or a workload without a rule, was refused a token',
      has: ['client_id', 'jkt', 'evidence', 'reason', 'detail'],
    },
    assertion_second_key: {
      when: 'a token of a platform was used with another key than before; `first_jkt` is that one',
      has: ['client_id', 'jkt', 'detail'],
    },
    revocation_refused: {
      when: 'a client that had authenticated was refused a revocation',
      has: ['client_id', 'jkt', 'evidence', 'reason'],
    },
    refusals_sampled: {
      when: 'strangers were refused: how often for each reason, and some of the registered names that they claimed',
      has: detail,
    },
    gateway_refusals_reported: {
      when: 'gateways reported refusals: how many for each reason',
      has: detail,
    },
    token_revoked: {
      when: 'a token was revoked, for all of its holders or for one of them',
      has: ['client_id', 'audience', 'jkt', 'jti', 'evidence', 'token_expires_at', 'detail'],
    },
    client_tokens_revoked: { when: 'all tokens of a client were revoked', has: ofClient },
    key_tokens_revoked: {
      when: 'all tokens bound to a key were revoked',
      has: ['client_id', 'jkt', 'detail'],
    },
  },
  Registrations: {
    ...registered('client', 'a client', ofClient),
    ...registered('client_secret', 'a secret of a client', ofClient),
    ...registered('resource_server', 'a resource server', ofServer),
    ...registered('resource_server_secret', 'a secret of a resource server', ofServer),
    ...registered('pairing', 'a pairing', ofClient),
    pairing_revoked: { when: 'a pairing was revoked', has: ofClient },
    ...registered('trusted_issuer', 'a trusted issuer', detail),
    ...registered('authorization_server', 'another authorization server', detail),
    ...registered('trust_rule', 'a rule of a trusted issuer', detail),
  },
  Admins: registered('admin_token', 'an admin token', detail),
  Keys: {
    signing_key_announced: { when: 'a signing key was published', has: detail },
    signing_key_activated: { when: 'a signing key began to sign', has: detail },
    signing_key_retired: { when: 'a signing key ended to sign', has: detail },
    signing_key_removed: { when: 'a signing key left the JWK Set', has: detail },
    signing_key_revoked: { when: 'a signing key was revoked as compromised', has: detail },
    dpop_nonce_secret_announced: { when: 'a secret of DPoP nonces was made', has: detail },
    dpop_nonce_secret_replaced: { when: 'the secrets of DPoP nonces were replaced', has: detail },
    key_encryption_key_changed: { when: 'the key-encryption key was changed', has: detail },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, EventType>>>>;

/** The types of events. */
export type AuditEventType = {
  [Chapter in keyof typeof auditEventChapters]: keyof (typeof auditEventChapters)[Chapter];
}[keyof typeof auditEventChapters];
