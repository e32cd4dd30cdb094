// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of a token's parts, for errors.

use core::fmt;

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// A part of a token. [`Display`](fmt::Display) gives its name and, for a claim, its label.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Part {
            $($(#[$doc])* $name,)*
        }

        impl fmt::Display for Part {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

parts! {
    /// The whole: a tagged map of both halves.
    Collection = "collection";
    /// A CMW record: content format and bytes.
    Record = "CMW record";
    /// Label 44234.
    PlatformToken = "platform token (44234)";
    /// Label 44241.
    RealmToken = "realm token (44241)";
    /// Label 44258.
    DeviceToken = "device token (44258)";

    /// A COSE_Sign1.
    Sign1 = "COSE_Sign1";
    /// Its protected header.
    ProtectedHeader = "protected header";
    /// Its unprotected header.
    UnprotectedHeader = "unprotected header";
    /// Header parameter 1.
    SignatureAlgorithm = "signature algorithm (header 1)";
    /// Header parameter 2: headers that must be understood. None is.
    CriticalHeaders = "critical headers (header 2)";
    /// Its payload: the claims.
    Payload = "payload";
    /// Its signature.
    Signature = "signature";

    /// A map of claims.
    Claims = "claims";
    /// Claim 10, of either half.
    Challenge = "challenge (10)";
    /// Claim 265, of either half.
    Profile = "profile (265)";
    /// Claim 256, of either half.
    InstanceId = "instance id (256)";

    /// Claim 44235.
    Personalization = "personalization value (44235)";
    /// Claim 44236.
    RealmHash = "realm hash algorithm (44236)";
    /// Claim 44237.
    PublicKey = "realm public key (44237)";
    /// Claim 44238.
    Rim = "initial measurement (44238)";
    /// Claim 44239.
    Rems = "extensible measurements (44239)";
    /// Claim 44240.
    PublicKeyHash = "public key hash algorithm (44240)";
    /// Claim 44243.
    MecPolicy = "MEC policy (44243)";
    /// Claim 44244.
    ActivationPolicy = "live firmware activation policy (44244)";
    /// Claim 44257.
    DevicesHash = "hash of the devices' token (44257)";

    /// Claim 2395.
    Lifecycle = "lifecycle (2395)";
    /// Claim 2396.
    ImplementationId = "implementation id (2396)";
    /// Claim 2399.
    Components = "software components (2399)";
    /// Label 1 of a component.
    ComponentType = "component type (1)";
    /// Label 2 of a component.
    ComponentMeasurement = "component measurement (2)";
    /// Label 4 of a component.
    ComponentVersion = "component version (4)";
    /// Label 5 of a component.
    ComponentSigner = "component signer id (5)";
    /// Label 6 of a component.
    ComponentHash = "component hash algorithm (6)";
    /// Label 7 of a component.
    ComponentActivation = "component live activation (7)";
    /// Label 8 of a component.
    ComponentCountersigners = "component countersigners (8)";
    /// Claim 2400.
    VerificationService = "verification service (2400)";
    /// Claim 2401.
    Config = "platform configuration (2401)";
    /// Claim 2402.
    PlatformHash = "platform hash algorithm (2402)";
    /// Claim 2403.
    ManufacturingConfig = "manufacturing configuration (2403)";

    /// COSE_Key label 1.
    KeyType = "key type (1)";
    /// COSE_Key label 3.
    KeyAlgorithm = "key algorithm (3)";
    /// COSE_Key label -1.
    Curve = "curve (-1)";
    /// COSE_Key label -2.
    X = "x-coordinate (-2)";
    /// COSE_Key label -3.
    Y = "y-coordinate (-3)";
}
