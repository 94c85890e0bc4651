import { authorizationServerBody, trustedIssuerBody, trustRuleBody } from './trust-examples.ts';

/** One story for all examples of the OpenAPI document: `orders-web` calls an API of orders. */
const audience = 'https://api.example.com';
const secret = '3q2-7wAAX1mM0cV9tKpYl4hQbZrJdEoSgUuNfIvWxTk';
const time = 1_767_225_600;
const instant = '2026-01-01T00:00:00.000Z';
const once = { client_secret: secret, client_secret_expires_at: 0 };

const clientBody = {
  client_id: 'orders-web',
  client_name: 'Orders',
  grant_types: ['client_credentials'],
  scope: 'orders.read orders.write',
  dpop_bound_access_tokens: true,
  resources: [audience],
};
const client = {
  ...clientBody,
  client_id_issued_at: time,
  token_endpoint_auth_method: 'client_secret_basic',
  dpop_nonce_required: false,
  client_assertion_bound_access_tokens: false,
  disabled: false,
};

const resourceServerBody = {
  audience,
  name: 'Orders API',
  scopes: ['orders.read', 'orders.write'],
  cnf_methods_supported: ['jkt', 'x5t#S256'],
  origins: ['https://api.example.com'],
  gateway_mode: 'report',
};
const resourceServer = {
  ...resourceServerBody,
  id: 'qJ3kT0vX8sLw2nYb',
  client_id: 'Zt5mR9cH1pDf7gKa',
  access_token_lifetime: 600,
  access_token_signing_alg: 'ES256',
};

const storedSecret = { id: 'b0Xk9TqL', created_at: time, expires_at: 1_798_761_600 };
const pairingBody = { requester: 'orders-web', holder: 'orders-worker', scope: 'orders.read' };
const thumbprint = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';

/** Examples of parameters. */
export const parameterExamples = {
  client: 'orders-web',
  resourceServer: resourceServer.id,
  secret: storedSecret.id,
  pairing: 'hV6yB2rN4eJs0xQc',
  trustedIssuer: 'uC8wF3zP5tGo1mLd',
  trustRule: 'kE2nR7xW0aSv9qTb',
  authorizationServer: 'wB4sD9yK2eTn7hRq',
  jti: 'AZuM2Yd0cAGfQyN1p9vTxw',
  jkt: thumbprint,
  kid: 'p4Wm1sUuQe',
  adminToken: 'nT6vK1xRq8sLw3Yb',
};

const adminToken = {
  id: parameterExamples.adminToken,
  name: 'ci',
  scopes: ['clients:read', 'clients:write'],
  created_at: time,
  created_by: 'bootstrap',
};

/** The example of each registered schema, by its `$id`. */
export const examples: Readonly<Record<string, object>> = {
  ClientBody: clientBody,
  ClientPatch: { scope: 'orders.read', resources: null },
  Client: client,
  ChangedClient: { ...client, ...once },
  ReadClient: {
    ...client,
    possession: {
      proofs: ['dpop_proof'],
      resource_servers: [{ audience, cnf_methods: ['jkt'] }],
      more: false,
    },
    credentials: {
      keys: [{ jkt: thumbprint, kid: '2026-01', last_used_at: time }],
      certificates: [],
    },
  },
  ResourceServerBody: resourceServerBody,
  ResourceServerPatch: { name: null, access_token_lifetime: 300 },
  ResourceServer: resourceServer,
  ChangedResourceServer: {
    ...resourceServer,
    ...once,
    clients_without_token: { client_ids: ['orders-legacy'], more: false },
  },
  SecretBody: { expires_at: storedSecret.expires_at },
  SecretPatch: { expires_at: storedSecret.expires_at },
  Secret: storedSecret,
  MadeSecret: { ...storedSecret, client_secret: secret },
  ListedSecret: { ...storedSecret, last_used_at: time },
  PairingBody: pairingBody,
  Pairing: {
    ...pairingBody,
    id: parameterExamples.pairing,
    mode: 'proof',
    first_party: false,
    revoked: false,
    created_at: time,
  },
  TrustedIssuerBody: trustedIssuerBody,
  AuthorizationServerBody: authorizationServerBody,
  AuthorizationServerPatch: { scope: 'chat.read' },
  AuthorizationServer: {
    ...authorizationServerBody,
    id: parameterExamples.authorizationServer,
    signing_alg: 'ES256',
  },
  TrustRuleBody: trustRuleBody,
  TrustRulePatch: { pin: true },
  TrustRule: {
    ...trustRuleBody,
    id: parameterExamples.trustRule,
    trusted_issuer_id: parameterExamples.trustedIssuer,
  },
  ConfigurationBody: {
    resource_servers: [resourceServerBody],
    clients: [{ ...clientBody, client_secret: secret }],
    trusted_issuers: [{ ...trustedIssuerBody, rules: [trustRuleBody] }],
    pairings: [pairingBody],
  },
  ConfigurationPlan: {
    dry_run: true,
    changes: [
      { kind: 'client', name: 'orders-web', action: 'change', members: [{ member: 'scope' }] },
    ],
    unchanged: 3,
  },
  TokenToTry: { token: 'eyJhbGciOiJSUzI1NiJ9.e30.AA' },
  TriedToken: {
    verified: true,
    rules: [
      {
        id: parameterExamples.trustRule,
        leads_to: 'client',
        matches: false,
        wins: false,
        unmet: [{ claim: '/kubernetes.io/namespace', because: 'another value' }],
        client_id: 'orders-worker',
      },
    ],
    warnings: [],
  },
  TrustedIssuerPatch: { max_lifetime: 3600 },
  TrustedIssuer: { ...trustedIssuerBody, id: parameterExamples.trustedIssuer },
  AuditEvent: {
    id: parameterExamples.jti,
    at: instant,
    type: 'token_issued',
    actor: 'client:orders-web',
    client_id: 'orders-web',
    audience,
    jkt: thumbprint,
    jti: parameterExamples.jti,
    evidence: 'dpop_proof',
    token_expires_at: time + 600,
  },
  AdminTokenBody: { name: 'ci', scopes: ['clients:read', 'clients:write'] },
  AdminTokenRotation: { previous_expires_in: 3600 },
  AdminToken: adminToken,
  MadeAdminToken: { ...adminToken, token: `hfadm_${secret}` },
  Rotation: { alg: 'ES256', purpose: 'issuer', immediately: false },
  SigningKey: {
    kid: parameterExamples.kid,
    alg: 'ES256',
    purpose: 'issuer',
    state: 'active',
    jwk: {
      kty: 'EC',
      crv: 'P-256',
      x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
      y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
      kid: parameterExamples.kid,
      alg: 'ES256',
      use: 'sig',
    },
    created_at: instant,
    active_at: instant,
  },
  DpopNonceSecret: { state: 'active', active_at: instant },
  KeyEncryptionKeyChange: { key_id: 'x7Rk2bQ', signing_keys: 2, shared_secrets: 1 },
};
