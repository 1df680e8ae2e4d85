import { Kind } from 'graphql';
import type { ConstDirectiveNode, ConstValueNode, DocumentNode } from 'graphql';

/** One `@link` of a core schema, with the names its elements carry in this document (specs.apollo.dev/link/v1.0). */
export interface LinkedFeature {
  /** `https://specs.apollo.dev/cost` without the version. */
  identity: string;
  /** `v0.1`. */
  version: string;
  /** The application that stands on the schema, so that it can be dropped. */
  node: ConstDirectiveNode;
  /** The name of a directive of this feature in the document, without `@`. */
  directiveName(name: string): string;
  /** Whether a directive (`@name`) or type (`name`) of the document was brought in by the feature. */
  owns(name: string): boolean;
}

const FEATURE_URL = /^(?<identity>.+\/(?<name>[^/]+))\/(?<version>v\d+\.\d+)\/?$/;

/** Every linked feature of the schema definition and its extensions, in order of appearance. */
export function linkedFeatures(document: DocumentNode): LinkedFeature[] {
  const features: LinkedFeature[] = [];
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const directive of definition.directives ?? []) {
      const feature = linkedFeature(directive);
      if (feature !== null) features.push(feature);
    }
  }
  return features;
}

function linkedFeature(node: ConstDirectiveNode): LinkedFeature | null {
  const url = stringOf(argumentOf(node, 'url'));
  const parts = url === undefined ? undefined : FEATURE_URL.exec(url)?.groups;
  if (parts === undefined) return null;
  const { identity = '', name = '', version = '' } = parts;
  const namespace = stringOf(argumentOf(node, 'as')) ?? name;
  const imports = importsOf(argumentOf(node, 'import'));
  const imported = new Set(imports.values());

  return {
    identity,
    version,
    node,
    // The directive that is called like its feature needs no prefix; the others do, unless imported.
    directiveName: (directive) =>
      imports.get(`@${directive}`)?.slice(1) ?? (directive === name ? namespace : `${namespace}__${directive}`),
    owns: (element) =>
      element === `@${namespace}` || element.replace(/^@/, '').startsWith(`${namespace}__`) || imported.has(element),
  };
}

/** From the name in the feature (`@` included for directives) to the name in the document. */
function importsOf(value: ConstValueNode | undefined): Map<string, string> {
  const imports = new Map<string, string>();
  if (value?.kind !== Kind.LIST) return imports;
  for (const item of value.values) {
    if (item.kind === Kind.STRING) imports.set(item.value, item.value);
    if (item.kind !== Kind.OBJECT) continue;
    const field = (name: string) => stringOf(item.fields.find((entry) => entry.name.value === name)?.value);
    const name = field('name');
    if (name !== undefined) imports.set(name, field('as') ?? name);
  }
  return imports;
}

export function argumentOf(node: ConstDirectiveNode, name: string): ConstValueNode | undefined {
  return node.arguments?.find((argument) => argument.name.value === name)?.value;
}

function stringOf(value: ConstValueNode | undefined): string | undefined {
  return value?.kind === Kind.STRING ? value.value : undefined;
}
