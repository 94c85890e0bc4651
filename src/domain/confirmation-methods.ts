/** Members of `cnf` (IANA JWT Confirmation Methods) that this server issues. */
export const confirmationMethods = ['jkt', 'x5t#S256', 'jwk', 'kid', 'jku', 'jwe'] as const;
export type ConfirmationMethod = (typeof confirmationMethods)[number];
