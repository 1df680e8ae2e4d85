import { Kind, visit } from 'graphql';
import type { DocumentNode } from 'graphql';

/** The names of a supergraph that a plan may use for itself, beside what a client asked for. */
export interface PlannedNames {
  /** Every field of every type, inaccessible ones too: any of them may be a key or be required. */
  fields: ReadonlySet<string>;
  /** Fields that stand, perhaps with arguments, in a `@requires` or a `@key`, or are taken from a context. */
  required: ReadonlySet<string>;
  /** Interfaces that some subgraph has as an object. */
  interfaceObjects: ReadonlySet<string>;
  /** What no field's name begins with. */
  prefix: string;
}

const NAME = /[_A-Za-z]\w*/g;
const SELECTING_ARGUMENTS: ReadonlySet<string> = new Set(['requires', 'selection', 'key']);

/** Reads them off a supergraph document. */
export function readPlannedNames(document: DocumentNode) {
  const fields = new Set<string>();
  const required = new Set<string>();
  const interfaceObjects = new Set<string>();
  visit(document, {
    InterfaceTypeDefinition({ name, directives = [] }) {
      const args = directives.flatMap((directive) => directive.arguments ?? []);
      if (
        args.some((arg) => arg.name.value === 'isInterfaceObject' && arg.value.kind === Kind.BOOLEAN && arg.value.value)
      ) {
        interfaceObjects.add(name.value);
      }
    },
    FieldDefinition: ({ name }) => void fields.add(name.value),
    // `requires` and `contextArguments: [{selection}]` of `@join__field`, `key` of `@join__type`: as text.
    Argument({ name, value }) {
      if (SELECTING_ARGUMENTS.has(name.value) && value.kind === Kind.STRING) addNames(value.value, required);
    },
    ObjectField({ name, value }) {
      if (SELECTING_ARGUMENTS.has(name.value) && value.kind === Kind.STRING) addNames(value.value, required);
    },
  });
  let prefix = '_client_';
  while ([...fields].some((name) => name.startsWith(prefix))) prefix = `_${prefix}`;
  return { fields, required, interfaceObjects, prefix };
}

function addNames(selection: string, names: Set<string>): void {
  for (const [name] of selection.matchAll(NAME)) names.add(name);
}
