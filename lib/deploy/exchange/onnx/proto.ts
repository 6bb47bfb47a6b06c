import { asInstance } from '../../../tensor/argument.js';
import { DataError } from '../../../tensor/errors.js';
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from './model.js';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeType,
  create,
  fromBinary,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorAnnotationSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  toBinary,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './protobuf.js';
import { elementType, TYPE_CODES, tensorOf, tensorProto } from './tensors.js';

/** Key under which QONNX keeps the data type of a value. */
const DATATYPE_KEY = 'finn_datatype';

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The bytes of a model; equal models give equal bytes. */
export function writeModel({ irVersion, opsets, producer, metadata, graph }: OnnxModel): Uint8Array {
  const { name, inputs, outputs, initializers, nodes, datatypes } = graph;
  const entry = (key: string, value: string) => create(StringStringEntryProtoSchema, { key, value });
  const annotation = ([tensorName, datatype]: readonly [string, string]) =>
    create(TensorAnnotationSchema, { tensorName, quantParameterTensorNames: [entry(DATATYPE_KEY, datatype)] });
  const proto = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    producerName: producer,
    opsetImport: [...opsets].map(([domain, version]) =>
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
    ),
    metadataProps: [...metadata].map(([key, value]) => entry(key, value)),
    graph: create(GraphProtoSchema, {
      name,
      node: nodes.map(nodeProto),
      initializer: [...initializers].map(([key, tensor]) => tensorProto(key, tensor)),
      input: inputs.map(valueProto),
      output: outputs.map(valueProto),
      quantizationAnnotation: [...datatypes].map(annotation),
    }),
  });
  return toBinary(ModelProtoSchema, proto);
}

function nodeProto({ name, op, domain, inputs, outputs, attributes }: OnnxNode): NodeProto {
  const attribute = [...attributes].map(([key, value]) => attributeProto(key, value));
  return create(NodeProtoSchema, { name, opType: op, domain, input: [...inputs], output: [...outputs], attribute });
}

function attributeProto(name: string, { type, value }: OnnxAttribute): AttributeProto {
  switch (type) {
    case 'float':
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value });
    case 'int':
      return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
    case 'string':
      return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: bytesOf(value) });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: tensorProto('', value) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...value] });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
    case 'strings':
      return create(AttributeProtoSchema, { name, type: AttributeType.STRINGS, strings: value.map(bytesOf) });
  }
}

function valueProto({ name, type, shape }: OnnxValue): ValueInfoProto {
  const elemType = TYPE_CODES[type];
  const tensor = create(TypeProto_TensorSchema, shape === null ? { elemType } : { elemType, shape: shapeProto(shape) });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}

function shapeProto(shape: readonly (number | string)[]) {
  const dim = shape.map((extent) => {
    const isNumber = typeof extent === 'number';
    const value = isNumber
      ? { case: 'dimValue' as const, value: BigInt(extent) }
      : { case: 'dimParam' as const, value: extent };
    return create(TensorShapeProto_DimensionSchema, { value });
  });
  return create(TensorShapeProtoSchema, { dim });
}

/**
 * A model from its bytes.
 * @param name of the file, for errors
 * @throws DataError naming the file, if it is damaged, keeps numbers elsewhere, or has what is not read: subgraphs,
 *   functions, sparse tensors
 */
export function readModel(bytes: Uint8Array, name: string): OnnxModel {
  const fail = failing(name);
  asInstance('onnx', 'bytes', bytes, Uint8Array);
  const proto: ModelProto = decoded(() => fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false }), fail);
  const { graph, opsetImport } = proto;
  if (graph === undefined || opsetImport.length === 0) return fail('is no ONNX model: it has no graph or no version');
  if (proto.functions.length > 0) fail('defines functions of its own, which are not read');
  const domainOf = (domain: string) => (domain === 'ai.onnx' ? '' : domain);
  return {
    irVersion: Number(proto.irVersion),
    opsets: new Map(opsetImport.map(({ domain, version }) => [domainOf(domain), Number(version)])),
    producer: proto.producerName,
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
    graph: readGraph(graph, name),
  };
}

/** One tensor from its bytes, a `.pb` file. @param name of the file, for errors @throws DataError if it is damaged */
export function readTensor(bytes: Uint8Array, name: string): OnnxTensor {
  asInstance('onnx', 'bytes', bytes, Uint8Array);
  const read = () => fromBinary(TensorProtoSchema, bytes, { readUnknownFields: false });
  return tensorOf(decoded(read, failing(name)), name);
}

type Fail = (problem: string) => never;

const failing =
  (name: string): Fail =>
  (problem) => {
    throw new DataError('onnx', `${name} ${problem}`);
  };

function decoded<T>(read: () => T, fail: Fail): T {
  try {
    return read();
  } catch (error) {
    return fail(`is no ONNX file, or damaged: ${error instanceof Error ? error.message : error}`);
  }
}

function readGraph(graph: GraphProto, name: string): OnnxModel['graph'] {
  const fail = failing(name);
  if (graph.sparseInitializer.length > 0) fail('has sparse tensors, which are not read');
  const initializers = new Map<string, OnnxTensor>();
  for (const tensor of graph.initializer) {
    if (initializers.has(tensor.name)) fail(`has two tensors called ${tensor.name.slice(0, 80)}`);
    initializers.set(tensor.name, tensorOf(tensor, name));
  }
  const datatypes = graph.quantizationAnnotation.flatMap(({ tensorName, quantParameterTensorNames }) =>
    quantParameterTensorNames.flatMap(({ key, value }) => (key === DATATYPE_KEY ? [[tensorName, value] as const] : [])),
  );
  return {
    name: graph.name,
    inputs: graph.input.filter((input) => !initializers.has(input.name)).map((input) => readValue(input, fail)),
    outputs: graph.output.map((output) => readValue(output, fail)),
    initializers,
    nodes: graph.node.map((node) => readNode(node, name)),
    datatypes: new Map(datatypes),
  };
}

function readNode(node: NodeProto, file: string): OnnxNode {
  const { name, opType, domain, input, output } = node;
  const attributes = node.attribute.map((attribute) => {
    const problem = (what: string): never => {
      const shown = `${opType} ${name}`.trim().slice(0, 80);
      throw new DataError('onnx', `${file}: the attribute ${attribute.name.slice(0, 80)} of ${shown} ${what}`);
    };
    return [attribute.name, readAttribute(attribute, file, problem)] as const;
  });
  const own = domain === 'ai.onnx' ? '' : domain;
  return { name, op: opType, domain: own, inputs: input, outputs: output, attributes: new Map(attributes) };
}

function readAttribute(attribute: AttributeProto, file: string, fail: Fail): OnnxAttribute {
  const whole = (value: bigint) => {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : fail(`is ${value}, beyond 53 bits`);
  };
  switch (attribute.type) {
    case AttributeType.FLOAT:
      return { type: 'float', value: attribute.f };
    case AttributeType.INT:
      return { type: 'int', value: whole(attribute.i) };
    case AttributeType.STRING:
      return { type: 'string', value: textOf(attribute.s) };
    case AttributeType.TENSOR:
      return { type: 'tensor', value: tensorOf(attribute.t ?? fail('holds no tensor'), file) };
    case AttributeType.FLOATS:
      return { type: 'floats', value: attribute.floats };
    case AttributeType.INTS:
      return { type: 'ints', value: attribute.ints.map(whole) };
    case AttributeType.STRINGS:
      return { type: 'strings', value: attribute.strings.map(textOf) };
    default:
      return fail(`is of kind ${AttributeType[attribute.type] ?? attribute.type}, which is not read`);
  }
}

function readValue({ name, type }: ValueInfoProto, fail: Fail): OnnxValue {
  if (type?.value.case !== 'tensorType') return fail(`has a value ${name.slice(0, 80)} that is no tensor`);
  const { elemType, shape } = type.value.value;
  const held = elementType(elemType) ?? fail(`has a value ${name.slice(0, 80)} of type ${elemType}, which is not read`);
  const extents = shape?.dim.map(({ value }, axis) => {
    return value.case === 'dimValue' ? Number(value.value) : (value.value ?? `axis ${axis}`);
  });
  return { name, type: held, shape: extents ?? null };
}
