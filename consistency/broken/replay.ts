import { registerHooks } from 'node:module';

// Imported before a replica, it replaces the replay store by a broken one, which the checker must
// find.
const broken = process.env['BROKEN_REPLAY'] ?? '';
registerHooks({
  resolve: (specifier, context, next) =>
    next(
      specifier.endsWith('/redis-replay.ts')
        ? new URL(`./${broken}.ts`, import.meta.url).href
        : specifier,
      context,
    ),
});
