import { expect, it } from 'vitest';
import { testServer } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';

it.each(storeKinds)(
  'of admins who give one prefix to several issuers at once, one succeeds on $name',
  async (kind) => {
    const server = await testServer({ kind });
    const body = (index: number) => ({
      issuer: `https://idp-${index}.example.com`,
      purposes: ['workload'],
    });
    const indexes = [0, 1, 2, 3];
    const subject_prefix = 'p:';
    const created = await Promise.all(
      indexes.map(async (index) =>
        server.admin('POST', 'trusted-issuers', { ...body(index), subject_prefix }),
      ),
    );
    expect(created.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 400, 400, 400]);
    const ids: string[] = [];
    for (const index of indexes.map((each) => each + 10))
      ids.push((await server.admin('POST', 'trusted-issuers', body(index))).body.id);
    const changed = await Promise.all(
      ids.map(async (id) =>
        server.admin('PATCH', `trusted-issuers/${id}`, { subject_prefix: 'q:' }),
      ),
    );
    expect(changed.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 400, 400, 400]);
    const again = { ...body(10), subject_prefix: 'r:' };
    expect((await server.admin('POST', 'trusted-issuers', again)).status).toBe(409);
    await server.stop();
  },
);
