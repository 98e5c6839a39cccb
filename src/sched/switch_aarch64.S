/* SPDX-License-Identifier: MIT */
/* Switching stacks on AArch64, AAPCS64: x19..x30 and the low halves of v8..v15 are preserved. */

    .text

/* void il__switch_stacks(void **save, void *sp) */
    .globl  il__switch_stacks
    .hidden il__switch_stacks
    .type   il__switch_stacks, %function
    .balign 16
il__switch_stacks:
    .cfi_startproc
    stp     x29, x30, [sp, #-160]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    mov     x9, sp
    str     x9, [x0]
    mov     sp, x1
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    ldp     x29, x30, [sp], #160
    br      x30
    .cfi_endproc
    .size   il__switch_stacks, . - il__switch_stacks

/* void *il__lay_out_stack(char *top, void (*entry)(void *), void *arg)
 * x19 and x20 carry the call over the first switch. */
    .globl  il__lay_out_stack
    .hidden il__lay_out_stack
    .type   il__lay_out_stack, %function
    .balign 16
il__lay_out_stack:
    .cfi_startproc
    sub     x0, x0, #160
    adr     x9, first_call
    stp     xzr, x9, [x0]
    stp     x1, x2, [x0, #16]    /* x19: entry, x20: arg */
    ret
    .cfi_endproc
    .size   il__lay_out_stack, . - il__lay_out_stack

    .type   first_call, %function
    .balign 16
first_call:
    .cfi_startproc
    .cfi_undefined x30           /* the outermost frame, for debuggers */
    mov     x0, x20
    blr     x19
    brk     #0
    .cfi_endproc
    .size   first_call, . - first_call

    .section .note.GNU-stack, "", %progbits
