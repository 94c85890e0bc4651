/** A trusted issuer. */
export const trustedIssuerBody = {
  issuer: 'https://login.example.com',
  purposes: ['id_token'],
  audience: 'orders-web',
  jwks_uri: 'https://login.example.com/jwks.json',
  clients: ['orders-web'],
};

/** A rule of a trusted issuer. */
export const trustRuleBody = {
  name: 'Workers of orders',
  priority: 10,
  claims: { sub: 'system:serviceaccount:orders:worker', '/kubernetes.io/namespace': 'orders' },
  client_id: 'orders-worker',
  scope: 'orders.read',
  access_token_lifetime: 300,
  pin: false,
};

/** Another authorization server. */
export const authorizationServerBody = {
  issuer: 'https://auth.partner.example',
  clients: [{ client_id: 'orders-web', remote_client_id: 'f53f191f9311af35' }],
  scope: 'chat.read chat.history',
  resources: ['https://chat.partner.example'],
};
