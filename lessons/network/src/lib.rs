//! What lessons that make their own network share. It is not in `common`, so that whoever builds
//! the first lesson need not wait for their dependencies.
//!
//! ```text
//!   network_namespace  a namespace with pairs of veth interfaces
//!   interface          an interface, and the XDP program that is attached to it
//!   packet_socket      sends and receives whole frames
//!   frame              frames made by hand
//!   netlink            requests to the kernel about its network
//! ```

mod netlink;

pub mod frame;
pub mod interface;
pub mod network_namespace;
pub mod packet_socket;
