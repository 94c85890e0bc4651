import type { FastifyInstance } from 'fastify';
import { changeRoutes, createRoute, deleteRoute } from './resource-changing.ts';
import { listRoute, readRoute } from './resource-reading.ts';
import type { RestResource } from './rest-resource.ts';

/** Mounts the routes of one kind of registration. */
export function mountRestResource<Value, Body extends object>(
  app: FastifyInstance,
  resource: RestResource<Value, Body>,
): void {
  createRoute(app, resource);
  listRoute(app, resource);
  readRoute(app, resource);
  changeRoutes(app, resource);
  deleteRoute(app, resource);
}
