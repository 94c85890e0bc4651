import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { KeyEncryptionKeyChanged } from '../keys/change-key-encryption-key.ts';
import { KeyEncryptionError } from '../keys/key-encryption.ts';
import { answer, operation, ref } from './operation.ts';
import { Problem } from './problem.ts';
import { answerBody } from './schema-parts.ts';

const changed = answerBody('KeyEncryptionKeyChange', {
  key_id: Type.String({
    description: 'Identifies the key-encryption key now in use; reveals nothing about the key.',
  }),
  signing_keys: Type.Integer({
    description: 'Number of resealed signing keys; 0 if that had already been done.',
  }),
  shared_secrets: Type.Integer({
    description: 'Number of other resealed values; the DPoP nonce secrets are one.',
  }),
});
export const keyEncryptionKeySchemas = [changed];

/** Encrypts all keys at rest under the next key-encryption key. */
export function keyEncryptionKeyRoutes(
  app: FastifyInstance,
  change: () => Promise<KeyEncryptionKeyChanged | 'no_next_key'>,
): void {
  const rotate = {
    operationId: 'rotateKeyEncryptionKey',
    summary: 'Reseal all keys at rest under KEY_ENCRYPTION_KEY_NEXT',
    tag: 'Keys and secrets' as const,
    description:
      'Reseals every signing key and shared secret under the next key-encryption key in ' +
      'one transaction.',
    answers: { 200: answer('Everything is sealed under the next key.', ref(changed)) },
  };
  app.post(
    '/admin/key-encryption-key/rotate',
    operation({ ...rotate, refuses: [409] }),
    async ({ log }) => {
      const done = await change().catch((err: unknown) => {
        if (!(err instanceof KeyEncryptionError)) throw err;
        log.error({ err }, 'the key-encryption key was not changed');
        throw new Problem(
          409,
          'a key in the database was sealed by neither key-encryption key of this server; ' +
            'nothing was changed',
        );
      });
      if (done === 'no_next_key')
        throw new Problem(
          409,
          'this server was started without another key in KEY_ENCRYPTION_KEY_NEXT or ' +
            'KEY_ENCRYPTION_KEY_NEXT_FILE; nothing was changed',
        );
      return {
        key_id: done.keyId,
        signing_keys: done.signingKeys,
        shared_secrets: done.sharedSecrets,
      };
    },
  );
}
