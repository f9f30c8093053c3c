import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scenarioJsonSchema } from '../../simulator/scenario/schema.ts';

it('the JSON Schema in the repository is current ("npx sim schema > scenarios/scenario.schema.json" renews it)', () => {
  const checkedIn = new URL('../../scenarios/scenario.schema.json', import.meta.url);
  expect(readFileSync(checkedIn, 'utf8')).toBe(scenarioJsonSchema());
});

/** Every object of the schema by its path, with its keys. */
function objectsOf(schema: unknown, path = ''): readonly { readonly path: string; readonly schema: JsonObject }[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const found = 'properties' in schema ? [{ path, schema: schema as JsonObject }] : [];
  return [...found, ...Object.entries(schema).flatMap(([key, value]) => objectsOf(value, `${path}/${key}`))];
}

type JsonObject = { readonly properties: Readonly<Record<string, { readonly description?: string }>> };

it('every key is described, and no object takes unknown keys', () => {
  const objects = objectsOf(JSON.parse(scenarioJsonSchema()));
  expect(objects.length).toBeGreaterThan(8);
  for (const { path, schema } of objects) {
    expect({ path, ...schema }).toMatchObject({ path, additionalProperties: false });
    for (const [key, property] of Object.entries(schema.properties)) {
      expect(property.description, `${path} ${key}`).toMatch(/\S/);
    }
  }
});
