// Turns a type of the vendor's into the same type written with our enums, so that the two can be compared strictly.
//
// TypeScript compares enums by their declaration: the vendor's ZIMMessageType is not ours, whatever its numbers. So each
// enum type in the vendor's declarations is exchanged for ours of the same name; that the numbers agree is checked apart.

import type * as Ours from '../../../src/web/tidings.js';
import type * as Vendor from 'zego-zim-web';

/** Whether A is B, without `any` passing for everything. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** Names of the vendor's enums. The error numbers are a plain number with us, as they are at run time with the vendor. */
export type EnumName = {
  [Name in keyof typeof Vendor]: (typeof Vendor)[Name] extends Record<string, string | number> ? Name : never;
}[keyof typeof Vendor];
type SharedEnum = Exclude<EnumName, 'ZIMErrorCode'>;

type VendorEnum<Name extends EnumName> = Extract<(typeof Vendor)[Name][keyof (typeof Vendor)[Name]], number>;
type OurEnum<Name extends SharedEnum & keyof typeof Ours> = Extract<(typeof Ours)[Name][keyof (typeof Ours)[Name]], number>;

/** Our enum in place of a whole one of the vendor's. */
type AdoptWhole<T> = { [Name in SharedEnum]: [VendorEnum<Name>] extends [T] ? OurEnum<Name> : never }[SharedEnum];

/** Our member in place of one of the vendor's. */
type AdoptMember<T> = {
  [Name in SharedEnum]: {
    [Member in keyof (typeof Vendor)[Name]]: Same<T, (typeof Vendor)[Name][Member]> extends true
      ? (typeof Ours)[Name][Member & keyof (typeof Ours)[Name]]
      : never;
  }[keyof (typeof Vendor)[Name]];
}[SharedEnum];

/** A number: plain, an enum, or members of one. */
type AdoptNumber<T> = Same<T, number> extends true
  ? T
  : Same<T, Vendor.ZIMErrorCode> extends true
    ? number
    : [AdoptWhole<T>] extends [never]
      ? EachMember<T>
      : AdoptWhole<T>;
type EachMember<T> = T extends unknown ? AdoptMember<T> : never;

type Opaque = string | boolean | bigint | symbol | null | undefined | Uint8Array | Blob;

/** The vendor's type with our enums in it. */
export type Adopt<T> =
  IsAny<T> extends true ? T : [NumbersOf<T>] extends [never] ? AdoptRest<T> : AdoptNumber<NumbersOf<T>> | AdoptRest<Exclude<T, number>>;
/** The numbers of a union are looked at together: an enum is the union of its members. */
type NumbersOf<T> = Extract<T, number>;
type AdoptRest<T> = T extends Opaque
  ? T
  : T extends Vendor.ZIM
    ? Ours.ZIM
    : T extends (...given: infer Given) => infer Result
      ? (...given: AdoptAll<Given>) => Adopt<Result>
      : T extends Promise<infer Value>
        ? Promise<Adopt<Value>>
        : { [Field in keyof T]: Adopt<T[Field]> };
/** A parameter list; optional ones stay so. */
export type AdoptAll<Given> = { [N in keyof Given]: Adopt<Given[N]> };
